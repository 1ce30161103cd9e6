/* Lossless kernel: the range coder, and the coder of byte rows (memory and controller). See _kernel.h, _picture.c. */
#include "_kernel.h"

#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define HST_API __declspec(dllexport)
#else
#define HST_API __attribute__((visibility("default")))
#endif

/* ---- range coder ---- */

void hst_coder_start(Coder *c, int mode, uint8_t *buf, int64_t cap) {
    memset(c, 0, sizeof *c);
    c->buf = buf;
    c->cap = cap;
    c->range = 0xffffffffu;
    c->decode = mode == HST_DECODE;
    if (c->decode)
        for (int i = 0; i < 4; i++, c->pos++) c->code = (c->code << 8) | (c->pos < cap ? buf[c->pos] : 0);
    else
        c->pending = 1, c->pos = -1; /* the first byte would always be 0 and is not written */
}

static void put(Coder *c, uint8_t byte) {
    if (c->pos >= c->cap) c->overflow = 1;
    else if (c->pos >= 0) c->buf[c->pos] = byte;
    c->pos++;
}

/* Send the top byte of `low`, or hold it back while a carry could still run through it. */
void hst_shift_low(Coder *c) {
    uint32_t top = (uint32_t)(c->low >> 24);
    if (top != 0xff) {
        uint8_t carry = (uint8_t)(top >> 8);
        put(c, (uint8_t)(c->cache + carry));
        for (int64_t i = 1; i < c->pending; i++) put(c, (uint8_t)(0xff + carry));
        c->pending = 1;
        c->cache = (uint8_t)top;
    } else {
        c->pending++;
    }
    c->low = (c->low & 0x00ffffffu) << 8;
}

/* Bytes written, or a negative error. The end is the number with the most zero bytes that still decodes; they are cut. */
int64_t hst_coder_finish(Coder *c) {
    if (c->decode) return c->pos < c->cap ? HST_TRAILING : c->cap;
    uint64_t end = c->low;
    for (int zeros = 32; zeros >= 8; zeros -= 8) {
        uint64_t mask = zeros == 32 ? 0xffffffffu : (1u << zeros) - 1;
        uint64_t try = (c->low + mask) & ~mask;
        if (try < c->low + c->range) {
            end = try;
            break;
        }
    }
    c->low = end;
    for (int i = 0; i < 5; i++) hst_shift_low(c);
    if (c->overflow) return HST_OVERFLOW;
    while (c->pos > 0 && c->buf[c->pos - 1] == 0) c->pos--;
    return c->pos;
}

/* ---- byte rows ---- */

enum { PARTNERS = 6, CONTEXTS = 32, INPUTS = CONTEXTS + 1 };

typedef struct {
    Maths maths;
    Coder coder;
    uint32_t *slots;
    int bits;
    int32_t *own, *shared; /* weights by address (and flag or value), and by situation */
    uint32_t limit;
    int speed, mode;
    uint8_t *rows;
    int64_t frames, size, sides, t;
    const uint8_t *side, *start;
    const uint16_t *order, *partners;
    uint8_t *work, *cur, *last, *older; /* rows t, t-1, t-2 with their sides */
    uint8_t *past, *since;              /* changes of the last 8 frames; frames since the last one */
} Rows;

static int rows_bit(Rows *r, const uint32_t *context, uint32_t node, int bit, int32_t *own, int32_t *shared) {
    Mix mix;
    uint32_t *slot[CONTEXTS], hash[CONTEXTS];
    mix.n = INPUTS;
    mix.a = own;
    mix.b = shared;
    for (int i = 0; i < CONTEXTS; i++) {
        hash[i] = hst_mix32(context[i] + node * 0x9e3779b1u);
        hst_touch(r->slots + (hash[i] >> (32 - r->bits)));
    }
    for (int i = 0; i < CONTEXTS; i++) {
        slot[i] = hst_slot(r->slots, r->bits, hash[i]);
        mix.in[i] = hst_slot_input(&r->maths, *slot[i]);
    }
    mix.in[CONTEXTS] = 256;
    uint32_t p = hst_mix(&r->maths, &mix);
    bit = hst_code_bit(&r->coder, bit, p);
    for (int i = 0; i < CONTEXTS; i++) *slot[i] = hst_slot_update(&r->maths, *slot[i], bit, r->limit);
    hst_learn(&mix, bit, p, r->speed);
    return bit;
}

/* Get ready to code rows of bytes, each predicted from the rows before it and from what is known of its own. Returns
 * what hst_rows_next and hst_rows_close take, or a negative error; until then all arrays stay where they are.
 *
 * rows [frames, size]; side [frames, sides] is known to both ends; order [size] is the order of coding; partners
 * [size, 6] are positions in a row (or size + position in the side) whose values say most about each byte; start
 * [size] stands for the row before the first. own [size, 2, 33], shared [32, 33].
 */
HST_API intptr_t hst_rows_open(int mode, uint8_t *rows, int64_t frames, int64_t size, const uint8_t *side,
                               int64_t sides, const uint16_t *order, const uint16_t *partners, const uint8_t *start,
                               uint32_t *slots, int bits, int32_t *own, int32_t *shared, const int16_t *stretch,
                               const uint16_t *squash, const int32_t *rate, const int32_t *trust, int limit, int speed,
                               uint8_t *buf, int64_t cap) {
    if (frames < 1 || size < 1 || size > 65536 || sides < 0 || size + sides > 65536 || bits < 8 || bits > 24)
        return HST_ARGUMENT;
    for (int64_t i = 0; i < size; i++)
        if (order[i] >= size) return HST_ARGUMENT;
    for (int64_t i = 0; i < size * PARTNERS; i++)
        if (partners[i] >= size + sides) return HST_ARGUMENT;
    int64_t wide = size + sides;
    Rows *r = calloc(1, sizeof *r);
    uint8_t *work = calloc((size_t)(3 * wide + 2 * size + 16), 1);
    if (!r || !work) {
        free(r);
        free(work);
        return HST_MEMORY;
    }
    *r = (Rows){.maths = {stretch, squash, rate, trust}, .slots = slots, .bits = bits, .own = own, .shared = shared,
                .limit = (uint32_t)limit, .speed = speed, .mode = mode, .rows = rows, .frames = frames, .size = size,
                .sides = sides, .side = side, .start = start, .order = order, .partners = partners, .work = work};
    r->cur = work + 16, r->last = r->cur + wide, r->older = r->last + wide;
    r->past = r->older + wide, r->since = r->past + size;
    hst_coder_start(&r->coder, mode, buf, cap);
    memcpy(r->last, start, (size_t)size);
    memcpy(r->older, start, (size_t)size);
    memcpy(r->cur, start, (size_t)size);
    return (intptr_t)r;
}

/* Code the next row; not beyond the last. */
HST_API void hst_rows_next(Rows *r) {
    int64_t t = r->t++, size = r->size, sides = r->sides;
    uint8_t *row = r->rows + t * size, *cur = r->cur, *last = r->last, *older = r->older;
    uint8_t *past = r->past, *since = r->since;
    const uint8_t *start = r->start;
    uint32_t first = t == 0, recent = 0, busy = 0;
    memcpy(cur + size, r->side + t * sides, (size_t)sides);
    uint32_t input = sides ? hst_hash2(cur[size], last[size]) : 0;
    const uint8_t *third = t >= 3 ? row - 3 * size : start, *sixth = t >= 6 ? row - 6 * size : start;
    for (int64_t k = 0; k < size; k++) {
        uint32_t a = r->order[k], v = last[a], v2 = older[a], v3 = third[a];
        const uint16_t *p = r->partners + (int64_t)a * PARTNERS;
        uint32_t q[PARTNERS], d[PARTNERS];
        for (int i = 0; i < PARTNERS; i++) q[i] = cur[p[i]], d[i] = (uint8_t)(cur[p[i]] - last[p[i]]);
        uint32_t d1 = (uint8_t)(v - v2), w1 = cur[(int64_t)a - 1], w2 = a > 1 ? cur[a - 2] : 0;
        uint32_t w4 = a > 3 ? cur[a - 4] : 0, w16 = a > 15 ? cur[a - 16] : 0;
        uint32_t dw = a ? (uint8_t)(w1 - last[a - 1]) : 0, dw4 = a > 3 ? (uint8_t)(w4 - last[a - 4]) : 0;
        if (!a) w1 = 0;
        uint32_t here = a * 2 + first, h = hst_hash2(here, v);
        uint32_t c[CONTEXTS];
        c[0] = here;
        c[1] = h;
        c[2] = hst_hash2(h, v2);
        c[3] = hst_hash2(here, d1);
        c[4] = hst_hash2(hst_hash2(h, v2), v3);
        c[5] = hst_hash2(here, past[a]);
        c[6] = hst_hash2(h, since[a]);
        c[7] = hst_hash2(h, w1);
        c[8] = hst_hash2(here, dw << 8 | d1);
        c[9] = hst_hash2(h, q[0]);
        c[10] = hst_hash2(here, q[0] << 8 | q[1]);
        c[11] = hst_hash2(h, q[1]);
        c[12] = hst_hash2(h, q[2]);
        c[13] = hst_hash2(h, q[0] << 16 | q[1] << 8 | q[2]);
        c[14] = hst_hash2(h, q[3] << 8 | q[4]);
        c[15] = hst_hash2(h, d[0]);
        c[16] = hst_hash2(h, d[1]);
        c[17] = hst_hash2(h, d[2] << 8 | d[3]);
        c[18] = hst_hash2(h, input);
        c[19] = hst_hash2(here, recent & 15);
        c[20] = hst_hash2(w2 << 8 | w1, v);
        c[21] = hst_hash2(here, w16 << 8 | w1);
        c[22] = hst_hash2(w4 << 8 | dw4, (a & 3) << 8 | v);
        c[23] = hst_hash2(here, v3 << 8 | sixth[a]);
        c[24] = hst_hash2(here, d[0] << 24 | d[1] << 16 | d[2] << 8 | d1);
        c[25] = hst_hash2(hst_hash2(h, q[4]), q[5]);
        c[26] = hst_hash2(here, q[0] << 24 | q[1] << 16 | q[2] << 8 | q[3]);
        c[27] = hst_hash2(h, dw4 << 8 | dw);
        c[28] = hst_hash2(h, q[5]);
        c[29] = hst_hash2(here, w4 << 16 | w2 << 8 | w1);
        c[30] = hst_hash2(here, (v >> 1 | (uint32_t)(a ? last[a - 1] : 0) << 7 | 0x100) & 0x1ff); /* shift registers */
        c[31] = hst_hash2(here, ((v + d[0]) & 255) << 8 | ((v + d[1]) & 255));
        for (int i = 0; i < CONTEXTS; i++) c[i] = hst_hash2(c[i], (uint32_t)i + 1);
        int32_t *mine = r->own + (int64_t)a * 2 * INPUTS;
        uint32_t value = v, busyness = busy > 15 ? 15 : busy;
        int changed = rows_bit(r, c, 0, r->mode == HST_ENCODE && row[a] != v, mine, r->shared + busyness * INPUTS);
        if (changed) {
            uint32_t node = 1;
            for (int i = 7; i >= 0; i--)
                node = node * 2 + (uint32_t)rows_bit(r, c, node, (row[a] >> i) & 1, mine + INPUTS,
                                                     r->shared + (16 + i + 8 * (int)first) * INPUTS);
            value = node & 255;
        }
        row[a] = cur[a] = (uint8_t)value;
        changed = value != v;
        past[a] = (uint8_t)(past[a] << 1 | changed);
        since[a] = changed ? 0 : since[a] < 255 ? since[a] + 1 : 255;
        recent = recent << 1 | (uint32_t)changed;
        busy = (busy * 15) / 16 + (uint32_t)changed * 4;
    }
    memcpy(older, last, (size_t)(size + sides));
    memcpy(last, cur, (size_t)(size + sides));
}

/* Bytes written, or a negative error. */
HST_API int64_t hst_rows_close(Rows *r) {
    int64_t result = hst_coder_finish(&r->coder);
    free(r->work);
    free(r);
    return result;
}

/* Code all rows: see hst_rows_open. */
HST_API int64_t hst_rows(int mode, uint8_t *rows, int64_t frames, int64_t size, const uint8_t *side, int64_t sides,
                         const uint16_t *order, const uint16_t *partners, const uint8_t *start, uint32_t *slots,
                         int bits, int32_t *own, int32_t *shared, const int16_t *stretch, const uint16_t *squash,
                         const int32_t *rate, const int32_t *trust, int limit, int speed, uint8_t *buf, int64_t cap) {
    intptr_t opened = hst_rows_open(mode, rows, frames, size, side, sides, order, partners, start, slots, bits, own,
                                    shared, stretch, squash, rate, trust, limit, speed, buf, cap);
    if (opened < 0) return opened;
    Rows *r = (Rows *)opened;
    while (r->t < frames && !r->coder.overflow) hst_rows_next(r);
    return hst_rows_close(r);
}
