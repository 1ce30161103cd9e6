/* Lossless kernel: the coder of byte rows (memory and controllers). Twin: reference/rows.py.
 *
 * The first version asks of every byte whether it changed, and spells what it became; the others are in _lines.c.
 */
#include "_rows.h"

#include <stdlib.h>
#include <string.h>

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
    bit = hst_code_bit(r->coder, bit, p);
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
 *
 * From the second version on, where `line_partners` is not null: own [size, 2, 40], shared [32, 40]; first_partners [size, 6]
 * for the first row; for lines of 8 in the order of coding line_partners [lines, 3], line_own [lines, 16] and
 * line_shared [8, 16] (of the third version [9, 16]: the last for the first row). version: 1 to 3.
 */
HST_API intptr_t hst_rows_open(int mode, uint8_t *rows, int64_t frames, int64_t size, const uint8_t *side,
                               int64_t sides, const uint16_t *order, const uint16_t *partners, const uint8_t *start,
                               uint32_t *slots, int bits, int32_t *own, int32_t *shared,
                               const uint16_t *first_partners, const uint16_t *line_partners, int32_t *line_own,
                               int32_t *line_shared, uint32_t *cells, int cell_bits, int32_t *guess_own,
                               int32_t *guess_shared, int version, const int16_t *stretch, const uint16_t *squash,
                               const int32_t *rate, const int32_t *trust, int limit, int speed, uint8_t *buf,
                               int64_t cap) {
    if (frames < 1 || size < 1 || size > 65536 || sides < 0 || size + sides > 65536 || bits < 8 || bits > 24 ||
        version < 1 || version > 3 || (version > 1) != (line_partners != 0) ||
        (line_partners && (cell_bits < 8 || cell_bits > 24)))
        return HST_ARGUMENT;
    for (int64_t i = 0; i < size; i++)
        if (order[i] >= size) return HST_ARGUMENT;
    for (int64_t i = 0; i < size * PARTNERS; i++)
        if (partners[i] >= size + sides || (line_partners && first_partners[i] >= size + sides)) return HST_ARGUMENT;
    int64_t wide = size + sides, lines = (size + LINE - 1) / LINE;
    for (int64_t i = 0; line_partners && i < lines * LINE_PARTNERS; i++)
        if (line_partners[i] >= size + sides) return HST_ARGUMENT;
    Rows *r = calloc(1, sizeof *r);
    uint8_t *work = calloc((size_t)(3 * wide + 2 * size + 2 * lines + 16), 1);
    if (!r || !work) {
        free(r);
        free(work);
        return HST_MEMORY;
    }
    *r = (Rows){.maths = {stretch, squash, rate, trust}, .slots = slots, .bits = bits, .own = own, .shared = shared,
                .limit = (uint32_t)limit, .speed = speed, .mode = mode, .rows = rows, .frames = frames, .size = size,
                .sides = sides, .side = side, .start = start, .order = order, .partners = partners, .work = work,
                .first_partners = first_partners, .line_partners = line_partners, .line_own = line_own,
                .line_shared = line_shared, .cells = cells, .cell_bits = cell_bits, .guess_own = guess_own,
                .guess_shared = guess_shared, .version = version};
    r->cur = work + 16, r->last = r->cur + wide, r->older = r->last + wide;
    r->past = r->older + wide, r->since = r->past + size;
    r->line_past = r->since + size, r->line_since = r->line_past + lines;
    r->coder = &r->own_coder;
    hst_coder_start(r->coder, mode, buf, cap);
    memcpy(r->last, start, (size_t)size);
    memcpy(r->older, start, (size_t)size);
    memcpy(r->cur, start, (size_t)size);
    return (intptr_t)r;
}

void hst_row_contexts(const Rows *r, const Row *w, uint32_t a, const uint16_t *p, uint32_t *c) {
    const uint8_t *cur = r->cur, *last = r->last;
    uint32_t v = last[a], v2 = r->older[a], v3 = w->third[a];
    uint32_t q[PARTNERS], d[PARTNERS];
    for (int i = 0; i < PARTNERS; i++) q[i] = cur[p[i]], d[i] = (uint8_t)(cur[p[i]] - last[p[i]]);
    uint32_t d1 = (uint8_t)(v - v2), w1 = cur[(int64_t)a - 1], w2 = a > 1 ? cur[a - 2] : 0;
    uint32_t w4 = a > 3 ? cur[a - 4] : 0, w16 = a > 15 ? cur[a - 16] : 0;
    uint32_t dw = a ? (uint8_t)(w1 - last[a - 1]) : 0, dw4 = a > 3 ? (uint8_t)(w4 - last[a - 4]) : 0;
    if (!a) w1 = 0;
    uint32_t here = a * 2 + w->first, h = hst_hash2(here, v);
    c[0] = here;
    c[1] = h;
    c[2] = hst_hash2(h, v2);
    c[3] = hst_hash2(here, d1);
    c[4] = hst_hash2(hst_hash2(h, v2), v3);
    c[5] = hst_hash2(here, r->past[a]);
    c[6] = hst_hash2(h, r->since[a]);
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
    c[18] = hst_hash2(h, w->input);
    c[19] = hst_hash2(here, w->recent);
    c[20] = hst_hash2(w2 << 8 | w1, v);
    c[21] = hst_hash2(here, w16 << 8 | w1);
    c[22] = hst_hash2(w4 << 8 | dw4, (a & 3) << 8 | v);
    c[23] = hst_hash2(here, v3 << 8 | w->sixth[a]);
    c[24] = hst_hash2(here, d[0] << 24 | d[1] << 16 | d[2] << 8 | d1);
    c[25] = hst_hash2(hst_hash2(h, q[4]), q[5]);
    c[26] = hst_hash2(here, q[0] << 24 | q[1] << 16 | q[2] << 8 | q[3]);
    c[27] = hst_hash2(h, dw4 << 8 | dw);
    c[28] = hst_hash2(h, q[5]);
    c[29] = hst_hash2(here, w4 << 16 | w2 << 8 | w1);
    c[30] = hst_hash2(here, (v >> 1 | (uint32_t)(a ? last[a - 1] : 0) << 7 | 0x100) & 0x1ff); /* shift registers */
    c[31] = hst_hash2(here, ((v + d[0]) & 255) << 8 | ((v + d[1]) & 255));
    for (int i = 0; i < CONTEXTS; i++) c[i] = hst_hash2(c[i], (uint32_t)i + 1);
}

int hst_learn_byte(Rows *r, uint8_t *row, uint32_t a, uint32_t value) {
    int changed = value != r->last[a];
    r->cur[a] = (uint8_t)value;
    if (r->mode == HST_DECODE) row[a] = (uint8_t)value; /* what is encoded may lie in memory that is only read */
    r->past[a] = (uint8_t)(r->past[a] << 1 | changed);
    r->since[a] = changed ? 0 : r->since[a] < 255 ? r->since[a] + 1 : 255;
    return changed;
}

static void code_byte(Rows *r, Row *w, uint8_t *row, uint32_t a) {
    uint32_t c[CONTEXTS], value = r->last[a], busyness = w->busy > 15 ? 15 : w->busy;
    int32_t *own = r->own + (int64_t)a * 2 * INPUTS;
    hst_row_contexts(r, w, a, r->partners + (int64_t)a * PARTNERS, c);
    if (rows_bit(r, c, 0, r->mode == HST_ENCODE && row[a] != value, own, r->shared + busyness * INPUTS)) {
        uint32_t node = 1;
        for (int i = 7; i >= 0; i--)
            node = node * 2 + (uint32_t)rows_bit(r, c, node, (row[a] >> i) & 1, own + INPUTS,
                                                 r->shared + (16 + i + 8 * (int)w->first) * INPUTS);
        value = node & 255;
    }
    int changed = hst_learn_byte(r, row, a, value);
    w->recent = (w->recent << 1 | (uint32_t)changed) & 15;
    w->busy = (w->busy * 15) / 16 + (uint32_t)changed * 4;
}

/* Code the next row; not beyond the last. */
HST_API void hst_rows_next(Rows *r) {
    int64_t t = r->t++, size = r->size, sides = r->sides;
    uint8_t *row = r->rows + t * size;
    memcpy(r->cur + size, r->side + t * sides, (size_t)sides);
    Row w = {.first = t == 0, .input = sides ? hst_hash2(r->cur[size], r->last[size]) : 0,
             .third = t >= 3 ? row - 3 * size : r->start, .sixth = t >= 6 ? row - 6 * size : r->start};
    if (r->line_partners)
        hst_code_lines(r, &w, row);
    else
        for (int64_t k = 0; k < size; k++) code_byte(r, &w, row, r->order[k]);
    memcpy(r->older, r->last, (size_t)(size + sides));
    memcpy(r->last, r->cur, (size_t)(size + sides));
}

/* From now on code with a coder that others use, too, as hst_packets_open gives it. */
HST_API void hst_rows_share(Rows *r, Coder *coder) { r->coder = coder; }

/* Bytes written, or a negative error. */
HST_API int64_t hst_rows_close(Rows *r) {
    int64_t result = hst_coder_finish(r->coder);
    free(r->work);
    free(r);
    return result;
}

/* Code all rows: see hst_rows_open. */
HST_API int64_t hst_rows(int mode, uint8_t *rows, int64_t frames, int64_t size, const uint8_t *side, int64_t sides,
                         const uint16_t *order, const uint16_t *partners, const uint8_t *start, uint32_t *slots,
                         int bits, int32_t *own, int32_t *shared, const uint16_t *first_partners,
                         const uint16_t *line_partners, int32_t *line_own, int32_t *line_shared, uint32_t *cells,
                         int cell_bits, int32_t *guess_own, int32_t *guess_shared, int version,
                         const int16_t *stretch, const uint16_t *squash, const int32_t *rate, const int32_t *trust,
                         int limit, int speed, uint8_t *buf, int64_t cap) {
    intptr_t opened = hst_rows_open(mode, rows, frames, size, side, sides, order, partners, start, slots, bits, own,
                                    shared, first_partners, line_partners, line_own, line_shared, cells, cell_bits,
                                    guess_own, guess_shared, version, stretch, squash, rate, trust, limit, speed, buf,
                                    cap);
    if (opened < 0) return opened;
    Rows *r = (Rows *)opened;
    while (r->t < frames && !r->coder->overflow) hst_rows_next(r);
    return hst_rows_close(r);
}
