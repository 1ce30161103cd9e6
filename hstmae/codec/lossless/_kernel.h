/* Shared parts of the lossless kernel: integers only, no global state, no allocation beyond the given buffers.
 *
 * Everything here has a twin in reference/ that must give the same bytes. Both follow three rules: 32-bit hashes wrap,
 * shifts of negative numbers round down, and products are formed in 64 bits.
 */
#ifndef HST_KERNEL_H
#define HST_KERNEL_H

#include <stdint.h>

#ifdef _WIN32
#define HST_API __declspec(dllexport)
#else
#define HST_API __attribute__((visibility("default")))
#endif

enum { HST_ENCODE = 0, HST_DECODE = 1 };
enum { HST_OVERFLOW = -1, HST_MEMORY = -2, HST_ARGUMENT = -3, HST_TRAILING = -4 };

/* ---- range coder: 32-bit range, 64-bit low with carry, probabilities of 16 bits ---- */

typedef struct {
    uint8_t *buf;
    int64_t cap, pos;
    uint64_t low;
    uint32_t range, code;
    int64_t pending; /* bytes held back because a carry may still change them; the first is `cache` */
    uint8_t cache;
    int decode, overflow;
} Coder;

void hst_coder_start(Coder *c, int mode, uint8_t *buf, int64_t cap);
int64_t hst_coder_finish(Coder *c);
void hst_shift_low(Coder *c);

/* Code one bit; `p1` is the probability of a 1 in 1/65536, from 1 to 65535. */
static inline int hst_code_bit(Coder *c, int bit, uint32_t p1) {
    uint32_t bound = (c->range >> 16) * p1;
    if (c->decode) bit = c->code < bound;
    if (bit) {
        c->range = bound;
    } else {
        c->range -= bound;
        if (c->decode) c->code -= bound;
        else c->low += bound;
    }
    while (c->range < (1u << 24)) {
        c->range <<= 8;
        if (c->decode) {
            c->code = (c->code << 8) | (c->pos < c->cap ? c->buf[c->pos] : 0);
            c->pos++;
        } else {
            hst_shift_low(c);
        }
    }
    return bit;
}

/* What was written so far, in 1/16 bit, but for a constant. */
static inline int64_t hst_spent(const Coder *c) {
    int64_t sixteenths = 128 * (c->pos + c->pending);
    uint32_t range = c->range;
    for (; range < 1u << 31; range <<= 1) sixteenths += 16;
    return sixteenths - (int64_t)(range >> 27 & 15);
}

/* ---- probabilities ---- */

/* Constant tables, made by Python once so that both implementations share them. */
typedef struct {
    const int16_t *stretch;  /* [65536] ln(p / (1 - p)) in 1/256, +-2839 */
    const uint16_t *squash;  /* [6144] its inverse for -3072 .. 3071, 1 .. 65535 */
    const int32_t *rate;     /* [16] how far a slot moves, in 1/65536, by the number of bits it has seen */
    const int32_t *trust;    /* [16] how far a slot's opinion counts, in 1/256, by the same number */
} Maths;

static inline int32_t hst_stretch(const Maths *m, uint32_t p16) { return m->stretch[p16]; }

static inline uint32_t hst_squash(const Maths *m, int64_t x) {
    if (x < -3072) x = -3072;
    if (x > 3071) x = 3071;
    return m->squash[x + 3072];
}

static inline uint32_t hst_mix32(uint32_t h) {
    h ^= h >> 16;
    h *= 0x7feb352du;
    h ^= h >> 15;
    h *= 0x846ca68bu;
    h ^= h >> 16;
    return h;
}

static inline uint32_t hst_hash2(uint32_t a, uint32_t b) { return hst_mix32(a * 0x9e3779b1u + b); }

/* A slot: probability of a 1 in 22 bits, count in 4, check in 6. */
static inline uint32_t *hst_slot(uint32_t *slots, int bits, uint32_t hash) {
    uint32_t *s = slots + (hash >> (32 - bits));
    uint32_t check = hash & 63;
    if ((*s & 63) != check) *s = (1u << 31) | check;
    return s;
}

static inline int32_t hst_slot_input(const Maths *m, uint32_t s) {
    return (int32_t)(((int64_t)m->stretch[s >> 16] * m->trust[(s >> 6) & 15]) >> 8);
}

static inline uint32_t hst_slot_update(const Maths *m, uint32_t s, int bit, uint32_t limit) {
    int64_t p = s >> 10;
    uint32_t n = (s >> 6) & 15;
    p += (((bit ? 4194303 : 0) - p) * m->rate[n]) >> 16;
    if (n < limit) n++;
    return ((uint32_t)p << 10) | (n << 6) | (s & 63);
}

/* ---- memory of values by context: check in 8 bits, confidence in 6, value in 9 ---- */

static inline uint32_t *hst_cell(uint32_t *cells, int bits, uint32_t hash) {
    uint32_t *c = cells + (hash >> (32 - bits));
    if ((*c >> 16) != (hash & 0xff)) *c = (hash & 0xff) << 16;
    return c;
}

static inline int hst_cell_value(uint32_t c) { return (int)(c & 511); }
static inline int hst_cell_trust(uint32_t c) { return (int)((c >> 9) & 63); }

static inline uint32_t hst_cell_make(uint32_t old, int trust, int value) {
    return (old & 0x00ff0000u) | (uint32_t)trust << 9 | (uint32_t)value;
}

static inline void hst_cell_learn(uint32_t *c, int value) {
    int trust = hst_cell_trust(*c);
    if (trust && hst_cell_value(*c) == value) *c = hst_cell_make(*c, trust < 63 ? trust + 1 : 63, value);
    else if (trust > 1) *c = hst_cell_make(*c, trust / 2, hst_cell_value(*c));
    else *c = hst_cell_make(*c, 1, value);
}

/* How sure a cell is, 0 to 7, by its trust. */
static const uint8_t HST_LEVEL[64] = {0, 1, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5,
                                      5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6,
                                      6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7};

/* Bring to the processor what is about to be needed: tables are larger than its caches, and waiting for one entry after
 * the other takes longer than all the rest. WebAssembly has no such hint, and loads in place of it gain nothing.
 */
static inline void hst_touch(const uint32_t *entry) {
#if defined(__GNUC__) && !defined(__wasm__)
    __builtin_prefetch(entry, 1);
#else
    (void)entry;
#endif
}

/* Logistic mixing with the sum of two sets of weights (16.16). */
#define HST_MAX_INPUTS 48
typedef struct {
    int32_t in[HST_MAX_INPUTS];
    int32_t *a, *b;
    int n;
} Mix;

static inline uint32_t hst_mix(const Maths *m, const Mix *x) {
    int64_t dot = 0;
    for (int i = 0; i < x->n; i++) dot += (int64_t)x->in[i] * (x->a[i] + x->b[i]);
    return hst_squash(m, dot >> 16);
}

static inline int32_t hst_clamp_weight(int32_t w) {
    return w > (1 << 20) ? (1 << 20) : w < -(1 << 20) ? -(1 << 20) : w;
}

static inline void hst_learn(Mix *x, int bit, uint32_t p, int speed) {
    int64_t error = ((bit << 16) - bit) - (int64_t)p;
    error *= speed;
    for (int i = 0; i < x->n; i++) {
        int32_t step = (int32_t)((x->in[i] * error + (1 << 17)) >> 18);
        x->a[i] = hst_clamp_weight(x->a[i] + step);
        x->b[i] = hst_clamp_weight(x->b[i] + step);
    }
}

/* The same with products of 16 bits, which processors and WebAssembly do eight at once; `n` is a multiple of 8. */
typedef struct {
    int16_t in[HST_MAX_INPUTS];
    int32_t *a, *b;
} Mix16;

static inline uint32_t hst_mix16(const Maths *m, const Mix16 *x, int n) {
    int16_t weight[HST_MAX_INPUTS];
    int32_t dot = 0;
    for (int i = 0; i < n; i++) weight[i] = (int16_t)((x->a[i] + x->b[i]) >> 7); /* within +-2**14 */
    for (int i = 0; i < n; i++) dot += x->in[i] * weight[i];
    return hst_squash(m, dot >> 9);
}

static inline void hst_learn16(Mix16 *x, int n, int bit, uint32_t p, int speed) {
    int16_t error = (int16_t)((((bit << 16) - bit - (int32_t)p) * speed) >> 4); /* speed is 8 at most */
    int32_t step[HST_MAX_INPUTS];
    for (int i = 0; i < n; i++) step[i] = (x->in[i] * error + (1 << 13)) >> 14;
    for (int i = 0; i < n; i++) x->a[i] = hst_clamp_weight(x->a[i] + step[i]);
    for (int i = 0; i < n; i++) x->b[i] = hst_clamp_weight(x->b[i] + step[i]);
}

#endif
