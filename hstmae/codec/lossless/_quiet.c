/* Picture coder, from the second version on: blocks that are as expected, told before any opinion is worked out.
 *
 * What is expected: where the game's memory says the same as it did of the previous picture, here or where the scroll
 * comes from, the previous picture; elsewhere what its tiles and sprites look like. Without memory, the previous
 * picture, or, in the fifth version, where nothing moved, the one before that, if the block was twice in a row as
 * there. The first picture is asked in the third version alone, and only where there is memory. Twin:
 * reference/quiet.py.
 */
#include <string.h>

#include "_picture.h"

/* The previous picture where the scroll comes from, or here; tiles and sprites; those where there is no picture before. */
enum { SCROLLED, STILL, DRAWN, FIRST, KINDS };

typedef struct {
    uint8_t colour[BLOCK * BLOCK];
    Pixel pixel[BLOCK * BLOCK]; /* of those that are drawn */
    uint8_t drawn[BLOCK * BLOCK];
    int kind, low, many, sprites;
} Expected;

/* Whole rows of a block are moved as one number: a call for eight bytes takes longer. */
static inline void copy_row(uint8_t *to, const uint8_t *from, int64_t columns) {
    if (columns == BLOCK) memcpy(to, from, BLOCK);
    else memcpy(to, from, (size_t)columns);
}

static inline int other_row(const uint8_t *a, const uint8_t *b, int64_t columns) {
    return columns == BLOCK ? memcmp(a, b, BLOCK) : memcmp(a, b, (size_t)columns);
}

static inline int same_key(const Pictures *p, int64_t i, int64_t j) {
    return p->tile[i] == p->old_tile[j] && p->front[i] == p->old_front[j] && p->second[i] == p->old_second[j];
}

/* Whether the memory says the same of all of a block and of what lies `shift` away in the previous picture. */
static int same_keys(const Pictures *p, int64_t i, int64_t shift, int64_t rows, int64_t columns) {
    uint32_t different = 0;
    for (int64_t y = 0; y < rows && !different; y++, i += p->stride) {
        const uint32_t *tile = p->tile + i, *front = p->front + i, *second = p->second + i;
        const uint32_t *old_tile = p->old_tile + i + shift, *old_front = p->old_front + i + shift;
        const uint32_t *old_second = p->old_second + i + shift;
        for (int64_t x = 0; x < columns; x++)
            different |= (tile[x] ^ old_tile[x]) | (front[x] ^ old_front[x]) | (second[x] ^ old_second[x]);
    }
    return !different;
}

static void draw(Pictures *p, Expected *e, int64_t first, int64_t rows, int64_t columns) {
    int fresh = p->look_changed || p->first;
    e->kind = p->first ? FIRST : DRAWN;
    for (int64_t y = 0, n = 0; y < rows; y++)
        for (int64_t c = 0; c < columns; c++, n++) {
            int64_t i = first + y * p->stride + c;
            e->drawn[n] = 0;
            if (p->front[i]) e->sprites++;
            if (!fresh && same_key(p, i, i + p->shift)) {
                e->colour[n] = p->prev[i + p->shift];
                continue;
            }
            if (!fresh && same_key(p, i, i)) {
                e->colour[n] = p->prev[i];
                continue;
            }
            Pixel *x = e->pixel + n;
            hst_look_rendered(p, x, i);
            int best = x->colour[1] >= 0 && (x->colour[0] < 0 || x->score[1] > x->score[0]);
            int colour = x->colour[best], score = colour < 0 ? 0 : x->score[best];
            if (colour >= TRANSPARENT) colour = -1, score = 0;
            e->drawn[n] = 1;
            e->many++;
            e->colour[n] = colour < 0 ? p->prev[i + p->shift] : (uint8_t)colour;
            if (score < e->low) e->low = score;
        }
}

static void expect(Pictures *p, Expected *e, int64_t i, int64_t rows, int64_t columns, int from) {
    e->low = 8191;
    e->many = e->sprites = 0;
    e->kind = SCROLLED;
    if (p->rendered) {
        if (p->first || p->look_changed || !same_keys(p, i, p->shift, rows, columns)) {
            if (p->first || p->look_changed || !p->shift || !same_keys(p, i, 0, rows, columns)) {
                draw(p, e, i, rows, columns);
                return;
            }
            e->kind = STILL;
        }
    } else if (hst_blinks(p) ? from & FROM_BEFORE : p->shift && from & FROM_HERE) {
        e->kind = STILL;
    }
    const uint8_t *q = p->prev + i + (e->kind == STILL ? 0 : p->shift);
    if (e->kind == STILL && hst_blinks(p)) q = hst_before_last(p, i);
    for (int64_t y = 0; y < rows; y++) copy_row(e->colour + y * columns, q + y * p->stride, columns);
}

/* Code whether a block is as expected; if so it is done. */
int hst_quiet_block(Pictures *p, int64_t by, int64_t bx, const uint8_t *source, uint8_t *target) {
    int64_t s = p->stride, y0 = by * BLOCK, x0 = bx * BLOCK, across = (p->width + BLOCK - 1) / BLOCK, f1 = across + 2;
    int64_t rows = p->height - y0 < BLOCK ? p->height - y0 : BLOCK, columns = p->width - x0 < BLOCK ? p->width - x0 : BLOCK;
    int64_t i = (y0 + PAD) * s + x0 + PAD, place = (by + 1) * f1 + bx + 1, middle = i + rows / 2 * s + columns / 2;
    uint8_t *f = p->flags + place, *from = p->from + place;
    Expected e;
    expect(p, &e, i, rows, columns, *from);
    int quiet = 1;
    if (source)
        for (int64_t y = 0; y < rows && quiet; y++)
            quiet = !other_row(source + (y0 + y) * p->width + x0, e.colour + y * columns, columns);
    uint32_t around = (uint32_t)(f[-1] | f[-f1] << 1 | f[-f1 - 1] << 2 | f[-f1 + 1] << 3 | f[0] << 4 | f[1] << 5 | f[f1] << 6);
    uint32_t kind = (uint32_t)e.kind, low = e.low < 0 ? 0 : e.low > 8191 ? 31 : (uint32_t)e.low / 256;
    uint32_t many = e.many > 31 ? 4 : e.many > 15 ? 3 : e.many > 5 ? 2 : e.many > 0, what = 0;
    uint32_t sprites = e.sprites > 31 ? 3 : e.sprites > 7 ? 2 : e.sprites > 0;
    if (p->rendered) what = hst_hash2(p->tile[middle], p->front[middle]);
    else
        for (int n = 0; n < (int)(rows * columns); n++) what = (what ^ e.colour[n]) * 0x01000193u;
    uint32_t moved = (uint32_t)(p->shift != 0) << 1 | (uint32_t)p->look_changed;
    Mix mix;
    uint32_t hash[QUIET_SLOTS] = {kind << 8 | low << 3 | many,
                                  around << 2 | kind,
                                  (uint32_t)(by * across + bx) << 3 | kind << 1 | (around >> 4 & 1),
                                  low << 7 | around,
                                  hst_hash2(what, kind << 2 | moved),
                                  (kind << 2 | moved) << 5 | sprites << 3 | many};
    for (int k = 0; k < QUIET_SLOTS; k++) hash[k] = hst_hash2(hash[k], (uint32_t)k + 80);
    mix.in[0] = e.low > 2839 ? 2839 : e.low < -2839 ? -2839 : e.low;
    mix.a = p->w_quiet + e.kind * QUIET_INPUTS;
    mix.b = p->w_quiet + (4 + (int)low) * QUIET_INPUTS;
    quiet = hst_mixed_bit(p, &mix, 1, hash, QUIET_SLOTS, quiet);
    *f = (uint8_t)!quiet;
    if (!quiet) {
        if (p->rendered) return 0;
        if (!hst_blinks(p)) *from ^= FROM_HERE;
        else *from = *from & FROM_BEFORE ? *from & FROM_HERE : *from | ASK_BEFORE;
        return 0;
    }
    for (int64_t y = 0, n = 0; y < rows; y++, n += columns) {
        static const uint8_t right[BLOCK];
        copy_row(p->cur + i + y * s, e.colour + n, columns);
        copy_row(p->wrong + i + y * s, right, columns);
        if (target) copy_row(target + (y0 + y) * p->width + x0, e.colour + n, columns);
    }
    *from &= (uint8_t)~ONCE_BEFORE;
    if (e.kind >= DRAWN)
        for (int n = 0; n < (int)(rows * columns); n++)
            if (e.drawn[n]) hst_learn_rendered(e.pixel + n, e.colour[n]);
    return 1;
}

/* Code some blocks alone, those that are not 0 in asked [frames, rows of blocks, blocks in a row]; from the second
 * version on, and before the first picture. What is decoded of the others is what was expected of them. spent, of as many,
 * receives what each took, in 1/16 bit; 0 = nobody asks.
 */
HST_API void hst_pictures_ask(Pictures *p, const uint8_t *asked, int32_t *spent) {
    p->asked = asked;
    p->spent = spent;
}

/* Whether a block is none of those that are coded: it is then what was expected, and nothing is learned from it. */
int hst_pass_block(Pictures *p, int64_t by, int64_t bx, uint8_t *target) {
    int64_t s = p->stride, y0 = by * BLOCK, x0 = bx * BLOCK, across = (p->width + BLOCK - 1) / BLOCK;
    int64_t rows = p->height - y0 < BLOCK ? p->height - y0 : BLOCK, columns = p->width - x0 < BLOCK ? p->width - x0 : BLOCK;
    int64_t i = (y0 + PAD) * s + x0 + PAD, place = (by + 1) * (across + 2) + bx + 1;
    if (p->asked[((p->t - 1) * ((p->height + BLOCK - 1) / BLOCK) + by) * across + bx]) return 0;
    Expected e;
    expect(p, &e, i, rows, columns, p->from[place]);
    p->flags[place] = 0;
    for (int64_t y = 0, n = 0; y < rows; y++, n += columns) {
        copy_row(p->cur + i + y * s, e.colour + n, columns);
        memset(p->wrong + i + y * s, 0, (size_t)columns);
        if (target) copy_row(target + (y0 + y) * p->width + x0, e.colour + n, columns);
    }
    return 1;
}
