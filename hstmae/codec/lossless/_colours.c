/* Lossless kernel: pictures of true colour with more colours than a palette holds, pixel by pixel, by what stood around
 * in this picture and in earlier ones. See _kernel.h for the rules; twin: reference/colours.py.
 */
#include "_colours.h"

#include <stdlib.h>
#include <string.h>

static inline int middle(int a, int b, int c) {
    int low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

static inline int part(uint32_t colour, int k) { return (int)(colour >> 8 * k & 255); }
static inline int far_apart(int a, int b) { return a < b ? b - a : a - b; }

static inline uint32_t bits_of(int value) {
    uint32_t n = 0;
    for (; value; value >>= 1) n++;
    return n;
}

/* A channel's difference z to what is likely, 0 to 255: how many bits it has, then those below the first one. */
static int code_difference(Colours *p, int32_t *weights, const uint32_t *count_by, const uint32_t *bits_by, uint32_t n, int z) {
    uint32_t size = bits_of(z), got = 0, hash[C_REST_SLOTS];
    for (; got < 8; got++) {
        for (int m = 0; m < C_REST_SLOTS; m++)
            hash[m] = hst_hash2(hst_hash2(count_by[m], got << 2 | n), (uint32_t)m + 200);
        if (!hst_colour_bit(p, 0, 0, hash, C_REST_SLOTS, C_WIDE, weights + 9 * C_WIDE, weights + got * C_WIDE, size > got)) break;
    }
    int value = got > 0;
    for (int b = (int)got - 2; b >= 0; b--) {
        for (int m = 0; m < C_REST_SLOTS; m++)
            hash[m] = hst_hash2(hst_hash2(bits_by[m], (got << 2 | n) << 8 | (uint32_t)value), (uint32_t)m + 210);
        value = value << 1 | hst_colour_bit(p, 0, 0, hash, C_REST_SLOTS, C_WIDE, weights + (10 + b) * C_WIDE,
                                            weights + (17 + (int)got) * C_WIDE, z >> b & 1);
    }
    return value;
}

/* Code a colour that nothing told, channel by channel, green first. */
uint32_t hst_colour_rest(Colours *p, const Dot *x, int64_t i, uint32_t colour) {
    static const int order[3] = {1, 2, 0};
    int64_t s = p->stride;
    const uint32_t *c = p->cur + i, *q = p->prev + i;
    uint32_t out = 0, seen = 0, top = (uint32_t)x->top;
    int green = 0;
    for (int n = 0; n < 3; n++) {
        int k = order[n], w = part(c[-1], k), a = part(c[-s], k), d = part(c[-s - 1], k), ways = n ? C_WAYS : 3;
        int guess[C_WAYS] = {middle(w, a, w + a - d), 0, part(top, k)};
        if (p->first) guess[1] = w + (part(c[-s + 1], k) - d) / 2;
        else guess[1] = part(q[0], k) + (w - part(q[-1], k) + a - part(q[-s], k)) / 2;
        guess[1] = middle(guess[1], 0, 255);
        uint32_t like[3] = {c[-1], c[-s], p->first ? c[-s - 1] : q[0]}; /* as far from green as there */
        for (int b = 3; b < ways; b++) guess[b] = middle(green + part(like[b - 3], k) - part(like[b - 3], 1), 0, 255);
        uint8_t *e = p->errors + (i * 3 + k) * C_WAYS;
        int best = 0, least = 1 << 20, one = 3 * C_WAYS;
        for (int b = 0; b < ways; b++) {
            int sum = 2 * e[b - one] + 2 * e[b - one * s] + e[b - one * s + one] + e[b - one * s - one] + e[b];
            if (sum < least) least = sum, best = b;
        }
        int base = guess[best], difference = (part(colour, k) - base) & 255;
        uint32_t energy = bits_of(least), spread = bits_of(far_apart(guess[0], guess[1])), by = (uint32_t)base;
        uint32_t count_by[C_REST_SLOTS] = {energy << 4 | spread, seen << 4 | energy, (uint32_t)best, by << 4 | spread, top};
        uint32_t bits_by[C_REST_SLOTS] = {energy, seen, by >> 3, (uint32_t)best, top};
        int z = difference < 128 ? 2 * difference : 2 * (256 - difference) - 1;
        z = code_difference(p, p->w_rest + n * 26 * C_WIDE, count_by, bits_by, (uint32_t)n, z);
        int v = (base + (z & 1 ? -(z + 1) / 2 : z / 2)) & 255;
        if (!n) green = v;
        for (int b = 0; b < ways; b++) e[b] = (uint8_t)far_apart(v, guess[b]);
        seen = seen << 4 | bits_of(z);
        out |= (uint32_t)v << 8 * k;
    }
    return out;
}

static inline uint32_t packed(const uint8_t *rgb) { return (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2]; }

static inline void unpack(uint8_t *rgb, uint32_t colour) {
    rgb[0] = (uint8_t)(colour >> 16), rgb[1] = (uint8_t)(colour >> 8), rgb[2] = (uint8_t)colour;
}

/* Code whether a block is as it was in the picture before, or `back` away where most comes from; if so it is done. */
static int quiet_block(Colours *p, int64_t by, int64_t bx, int64_t y1, int64_t x1, uint8_t *frame) {
    int64_t s = p->stride, across = (p->width + C_BLOCK - 1) / C_BLOCK, f1 = across + 2, i = (by * C_BLOCK + C_PAD) * s + bx * C_BLOCK + C_PAD;
    uint8_t *f = p->flags + (by + 1) * f1 + bx + 1;
    uint32_t around = (uint32_t)(f[-1] | f[-f1] << 2 | f[-f1 - 1] << 4 | f[-f1 + 1] << 6 | f[0] << 8 | f[1] << 10 | f[f1] << 12);
    int64_t whole = p->ring_size, one = p->cur - p->prev;
    uint32_t before = (uint32_t)(one < 0 ? one + whole : one), last = f[0];
    for (uint32_t n = 0; n < 2; n++) {
        uint32_t back = !n ? before : p->usual[p->usual[0] == before];
        if (back < 2 * C_BLOCK * s) break; /* parts of the block itself, or of blocks that are still to come */
        int quiet = 1;
        for (int64_t y = by * C_BLOCK; y < y1 && quiet && !p->coder.decode; y++)
            for (int64_t x = bx * C_BLOCK; x < x1; x++)
                quiet &= packed(frame + (y * p->width + x) * 3) == p->ring[hst_behind(p, (y + C_PAD) * s + x + C_PAD, back)];
        int64_t at = hst_behind(p, i, back), inner = at + 3 * s + 3;
        uint32_t what = hst_hash2(p->ring[at], p->ring[inner < whole ? inner : inner - whole]);
        uint32_t hash[C_QUIET_SLOTS] = {around, (uint32_t)(by * across + bx) << 2 | last, what, around & 255, 0};
        for (int k = 0; k < C_QUIET_SLOTS; k++) hash[k] = hst_hash2(hst_hash2(hash[k], n), (uint32_t)k + 80);
        int32_t *weights = p->w_quiet + 17 * (int)n * C_WIDE;
        quiet = hst_colour_bit(p, 0, 0, hash, C_QUIET_SLOTS, C_WIDE, weights, weights + (1 + (f[-1] | f[-f1] << 2)) * C_WIDE, quiet);
        if (!quiet) continue;
        *f = (uint8_t)n;
        for (int64_t y = by * C_BLOCK; y < y1; y++)
            for (int64_t x = bx * C_BLOCK; x < x1; x++) {
                int64_t k = (y + C_PAD) * s + x + C_PAD;
                p->cur[k] = p->ring[hst_behind(p, k, back)];
                p->wrong[k] = 0;
                p->back[k] = back;
                p->run[k] = 16;
                if (p->coder.decode) unpack(frame + (y * p->width + x) * 3, p->cur[k]);
            }
        uint32_t *count = p->usual_count + (hst_hash2(back, 77) >> (32 - C_USUAL_BITS));
        if (n && p->usual_back[count - p->usual_count] == back) *count += C_BLOCK * C_BLOCK;
        return 1;
    }
    *f = 2;
    return 0;
}

static void code_block(Colours *p, int64_t by, int64_t bx, uint8_t *frame) {
    int64_t y1 = (by + 1) * C_BLOCK, x1 = (bx + 1) * C_BLOCK;
    if (y1 > p->height) y1 = p->height;
    if (x1 > p->width) x1 = p->width;
    if (!p->first && quiet_block(p, by, bx, y1, x1, frame)) return;
    int missed = 0;
    for (int64_t y = by * C_BLOCK; y < y1; y++)
        for (int64_t x = bx * C_BLOCK; x < x1; x++) {
            int64_t i = (y + C_PAD) * p->stride + x + C_PAD;
            uint8_t *rgb = frame + (y * p->width + x) * 3;
            Dot dot;
            hst_dot_look(p, &dot, i);
            uint32_t colour = hst_dot_code(p, &dot, i, missed, p->coder.decode ? 0 : packed(rgb));
            missed += (int32_t)colour != dot.top;
            hst_dot_learn(p, &dot, i, colour);
            p->cur[i] = colour;
            if (p->coder.decode) unpack(rgb, colour);
        }
}

/* Code some rows of blocks, `from` to before `to`, of the next picture [height, width, 3]; all have to be, in order. */
HST_API int64_t hst_colours_band(Colours *p, uint8_t *frame, int64_t from, int64_t to) {
    int64_t across = (p->width + C_BLOCK - 1) / C_BLOCK;
    if (!from && !p->cur) {
        p->cur = p->ring;
        p->prev = p->ring + p->area; /* zeros */
        p->first = 1;
    } else if (!from) {
        int64_t next = p->cur - p->ring + p->area;
        p->prev = p->cur;
        p->cur = p->ring + (next < p->ring_size ? next : 0);
        p->first = 0;
        for (int k = 0; k < 1 << C_USUAL_BITS; k++) p->usual_count[k] /= 2;
    }
    for (int64_t by = from; by < to; by++)
        for (int64_t bx = 0; bx < across; bx++) code_block(p, by, bx, frame);
    return p->coder.overflow ? HST_OVERFLOW : 0;
}

static void fill(int32_t *weights, int count, int wide, int given, int slots, int32_t first, int32_t then) {
    for (int n = 0; n < count; n++) weights[n] = n % wide < given ? first : n % wide < given + slots ? then : 0;
}

/* Get ready for pictures of true colour, that are looked for in the last `count` ones, 2 or more, with tables of 2**bits.
 * Returns what hst_colours_band and hst_colours_close take, or a negative error.
 */
HST_API intptr_t hst_colours_open(int mode, int64_t height, int64_t width, int64_t count, int bits, const int16_t *stretch,
                                  const uint16_t *squash, const int32_t *rate, const int32_t *trust, int limit, int speed,
                                  uint8_t *buf, int64_t cap) {
    int64_t stride = width + 2 * C_PAD, area = stride * (height + 2 * C_PAD);
    if (height < 1 || width < 1 || height > 65535 || width > 65535 || bits < 8 || bits > 22 || count < 2 || count > (1 << 30) / area)
        return HST_ARGUMENT;
    size_t table = (size_t)1 << bits, flags = (size_t)(((height + C_BLOCK - 1) / C_BLOCK + 2) * ((width + C_BLOCK - 1) / C_BLOCK + 2));
    Colours *p = calloc(1, sizeof *p);
    if (!p) return HST_MEMORY;
    p->ring = calloc((size_t)(count * area), 4);
    p->slots = calloc(table * 2, 4);
    p->places = calloc(table, 4);
    p->cells = calloc(table, sizeof *p->cells);
    p->back = calloc((size_t)area, 4);
    p->wrong = calloc((size_t)area, 2);
    p->run = calloc((size_t)area * (1 + 3 * C_WAYS) + flags, 1);
    if (!p->ring || !p->slots || !p->places || !p->cells || !p->back || !p->wrong || !p->run) {
        void *parts[] = {p->ring, p->slots, p->places, p->cells, p->back, p->wrong, p->run, p};
        for (int n = 0; n < 8; n++) free(parts[n]);
        return HST_MEMORY;
    }
    p->errors = p->run + area;
    p->flags = p->errors + 3 * C_WAYS * area;
    p->maths = (Maths){stretch, squash, rate, trust};
    p->limit = (uint32_t)limit, p->speed = speed, p->bits = bits;
    p->height = height, p->width = width, p->stride = stride, p->area = area, p->ring_size = count * area;
    for (int n = 0; n < C_SOURCES * C_LEVELS << C_NEAR_BITS; n++) p->sources[n] = 1u << 31, p->scores[n] = stretch[1 << 15];
    fill(p->w_pixel, C_RANKS * (C_AGREE + C_TRAILS) * C_INPUTS, C_INPUTS, C_SOURCES, C_SLOTS, 10000, 8000);
    fill(p->w_quiet, 2 * 17 * C_WIDE, C_WIDE, 0, C_QUIET_SLOTS, 0, 10000);
    fill(p->w_known, (2 + C_KNOWN) * C_WIDE, C_WIDE, 0, C_KNOWN_SLOTS, 0, 10000);
    fill(p->w_rest, 3 * 26 * C_WIDE, C_WIDE, 0, C_REST_SLOTS, 0, 10000);
    hst_coder_start(&p->coder, mode, buf, cap);
    return (intptr_t)p;
}

/* Bytes written, or a negative error. */
HST_API int64_t hst_colours_close(Colours *p) {
    int64_t result = hst_coder_finish(&p->coder);
    void *parts[] = {p->ring, p->slots, p->places, p->cells, p->back, p->wrong, p->run, p};
    for (int n = 0; n < 8; n++) free(parts[n]);
    return result;
}
