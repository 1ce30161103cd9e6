/* Picture coder: what each source says about a pixel, and what is learned from the truth. Twin: reference/pictures.py. */
#include "_picture.h"

/* The rest of hst_mixed_bit in the third version, with products of 16 bits; what is missing to eight inputs is 0. */
static int narrow_bit(Pictures *p, const Mix *mix, uint32_t **slot, int slots, int bit) {
    Mix16 narrow = {.a = mix->a, .b = mix->b};
    int wide = (mix->n + 7) & ~7;
    for (int n = 0; n < mix->n; n++) narrow.in[n] = (int16_t)mix->in[n];
    uint32_t probability = hst_mix16(&p->maths, &narrow, wide);
    bit = hst_code_bit(p->coder, bit, probability);
    for (int n = 0; n < slots; n++) *slot[n] = hst_slot_update(&p->maths, *slot[n], bit, p->limit);
    hst_learn16(&narrow, wide, bit, probability, p->speed);
    return bit;
}

int hst_mixed_bit(Pictures *p, Mix *mix, int fixed, const uint32_t *hash, int slots, int bit) {
    uint32_t *slot[PIXEL_SLOTS];
    for (int n = 0; n < slots; n++) {
        slot[n] = hst_slot(p->slots, p->slot_bits, hash[n]);
        mix->in[fixed + n] = hst_slot_input(&p->maths, *slot[n]);
    }
    mix->in[fixed + slots] = 256;
    mix->n = fixed + slots + 1;
    if (p->version > 2) return narrow_bit(p, mix, slot, slots, bit);
    uint32_t probability = hst_mix(&p->maths, mix);
    bit = hst_code_bit(p->coder, bit, probability);
    for (int n = 0; n < slots; n++) *slot[n] = hst_slot_update(&p->maths, *slot[n], bit, p->limit);
    hst_learn(mix, bit, probability, p->speed);
    return bit;
}

/* Where sources were wrong around pixel `i`, one byte each: left, above, above right, and what follows of before. */
static inline uint64_t mistakes(const Pictures *p, int64_t i) {
    const uint8_t *e = p->wrong + i;
    return (uint64_t)e[-1] | (uint64_t)e[-p->stride] << 8 | (uint64_t)e[-p->stride + 1] << 16 | (uint64_t)e[0] << 24 |
           (uint64_t)e[1] << 32 | (uint64_t)e[p->stride] << 40;
}

void hst_opinion(Pictures *p, Pixel *x, int s, int colour, int level) {
    x->colour[s] = colour;
    if (colour < 0) {
        x->score[s] = 0;
        x->source[s] = 0;
        return;
    }
    /* bit s of each of the six bytes, side by side */
    int near = (int)((((x->mistakes >> s) & 0x010101010101u) * 0x0102040810204080u) >> 56);
    int at = (s * 8 + level) * 64 + near;
    x->source[s] = p->sources + at;
    x->score[s] = p->scores[at];
}

static inline void opinion_of_cell(Pictures *p, Pixel *x, int s, uint32_t hash) {
    x->key[s] = hash;
    x->cell[s] = hst_cell(p->cells, p->cell_bits - (p->version > 2), hash);
    int trust = hst_cell_trust(*x->cell[s]);
    hst_opinion(p, x, s, trust ? hst_cell_value(*x->cell[s]) : -1, HST_LEVEL[trust]);
}

/* What is learned of a pixel of a tile or a sprite. In the third version the pixels of a piece of 8x8 lie side by side, in
 * the upper half of the table; what is learned of surroundings is in the lower half.
 */
static inline uint32_t *state_cell(const Pictures *p, uint32_t hash, uint32_t key) {
    if (p->version < 3) return hst_cell(p->cells, p->cell_bits, hash);
    uint32_t at = (hash >> (33 - p->cell_bits) & ~63u) | (key & 63);
    uint32_t *c = p->cells + ((int64_t)1 << (p->cell_bits - 1)) + at;
    if ((*c >> 16) != (hash & 0xff)) *c = (hash & 0xff) << 16;
    return c;
}

static inline uint32_t tile_hash(const Pictures *p, uint32_t key) { return hst_hash2(hst_hash2(key, p->look[0]), 1); }
static inline uint32_t sprite_hash(const Pictures *p, uint32_t key) { return hst_hash2(hst_hash2(key, p->look[0]), 2); }
static inline uint32_t over_hash(const Pictures *p, uint32_t over) { return hst_hash2(hst_hash2(over, p->look[1]), 3); }

/* What tile and sprites say: sprites may be transparent where they are, which is learned like their colours. */
static void rendered(Pictures *p, Pixel *x, int64_t i) {
    uint32_t tile = p->tile[i], front = p->front[i], second = p->second[i], over;
    if (p->version < 3) {
        x->key[0] = tile_hash(p, tile);
        over = front ? 0 : over_hash(p, hst_hash2(tile, 0));
        x->cell[0] = hst_cell(p->cells, p->cell_bits, x->key[0]);
    } else {
        if (tile >> 6 != p->last_tile) { /* mostly the one on the left */
            p->last_tile = tile >> 6;
            p->last_hash[0] = tile_hash(p, tile >> 6);
            p->last_hash[1] = over_hash(p, hst_hash2(tile >> 6, 0));
        }
        over = p->last_hash[1];
        x->key[0] = p->last_hash[0] + (tile & 63);
        x->cell[0] = state_cell(p, p->last_hash[0], tile);
    }
    int trust = hst_cell_trust(*x->cell[0]), colour = trust ? hst_cell_value(*x->cell[0]) : -1;
    x->sprite[0] = x->sprite[1] = 0;
    for (int n = 0; n < 2; n++) {
        uint32_t key = n ? front : second;
        x->under[n] = colour;
        if (!key) continue;
        uint32_t hash;
        if (p->version < 3) {
            x->key[0] = hash = sprite_hash(p, key);
        } else {
            if (key >> 6 != p->last_sprite[n]) {
                p->last_sprite[n] = key >> 6;
                p->sprite_hash[n] = sprite_hash(p, key >> 6);
            }
            hash = p->sprite_hash[n];
            x->key[0] = hash + (key & 63);
        }
        uint32_t *c = x->sprite[n] = state_cell(p, hash, key);
        int sure = hst_cell_trust(*c);
        if (sure && hst_cell_value(*c) != TRANSPARENT) {
            colour = hst_cell_value(*c);
            trust = sure;
        } else if (sure < trust) {
            trust = sure;
            if (!sure) colour = -1;
        }
    }
    hst_opinion(p, x, 0, colour, HST_LEVEL[trust]);
    int by_texel = p->version > 2;
    if (front) over = over_hash(p, hst_hash2(by_texel ? front >> 6 : front, (uint32_t)(x->under[1] + 1)));
    x->key[1] = over;
    x->cell[1] = state_cell(p, over, front ? front : tile);
    trust = hst_cell_trust(*x->cell[1]);
    hst_opinion(p, x, 1, trust ? hst_cell_value(*x->cell[1]) : -1, HST_LEVEL[trust]);
}

void hst_look_rendered(Pictures *p, Pixel *x, int64_t i) {
    x->mistakes = 0;
    rendered(p, x, i);
}

/* Hashes of what is around a pixel at `c` in its picture and at `q` in the one before: [3], of sources 4, 5 and 6. */
static inline void surroundings(const uint8_t *c, const uint8_t *q, int64_t s, uint32_t *hash) {
    uint32_t near = (uint32_t)c[-1] | (uint32_t)c[-s] << 8 | (uint32_t)c[-s - 1] << 16 | (uint32_t)c[-s + 1] << 24;
    uint32_t far = (uint32_t)c[-2] | (uint32_t)c[-2 * s] << 8 | (uint32_t)c[-s + 2] << 16 | (uint32_t)c[-s - 2] << 24;
    uint32_t farther = (uint32_t)c[-3] | (uint32_t)c[-2 * s + 1] << 8 | (uint32_t)c[-2 * s - 1] << 16 |
                       (uint32_t)c[-s + 3] << 24;
    uint32_t old = (uint32_t)q[0] | (uint32_t)q[1] << 8 | (uint32_t)q[s] << 16 | (uint32_t)q[-1] << 24;
    uint32_t older = (uint32_t)q[-s] | (uint32_t)q[s + 1] << 8 | (uint32_t)q[s - 1] << 16 | (uint32_t)q[2] << 24;
    hash[0] = hst_hash2(hst_hash2(near, far & 0xffff), 4);
    hash[1] = hst_hash2(hst_hash2(hst_hash2(near & 0xffffff, old), older & 0xffffff), 5);
    hash[2] = hst_hash2(hst_hash2(hst_hash2(near, far), farther), 6);
}

static inline void touch_cell(const Pictures *p, uint32_t hash) {
    hst_touch(p->cells + (hash >> (32 - p->cell_bits + (p->version > 2))));
}

void hst_expect(const Pictures *p, int64_t i) {
    const uint8_t *q = p->prev + i + p->shift;
    if (p->rendered && p->version < 3) { /* later ones lie side by side */
        uint32_t front = p->front[i], second = p->second[i];
        touch_cell(p, tile_hash(p, p->tile[i]));
        if (front) touch_cell(p, sprite_hash(p, front));
        else touch_cell(p, over_hash(p, hst_hash2(p->tile[i], 0)));
        if (second) touch_cell(p, sprite_hash(p, second));
    }
    if (p->first) return;
    uint32_t hash[3];
    surroundings(q, q, p->stride, hash);
    for (int n = 0; n < 3; n++) touch_cell(p, hash[n]);
}

/* The colour with the highest sum of scores, of those with equal sums the first. */
static void vote(Pixel *x) {
    int all = 0, same = 1;
    x->top = -1;
    x->top_score = 0;
    for (int a = 0; a < SOURCES; a++) {
        all += x->score[a];
        if (x->colour[a] < 0) continue;
        if (x->top < 0) x->top = x->colour[a];
        same &= x->colour[a] == x->top;
    }
    if (same) { /* as nearly always */
        for (int a = 0; a < SOURCES; a++) x->vote[a] = all;
        x->top_score = all;
        return;
    }
    x->top = -1;
    for (int a = 0; a < SOURCES; a++) {
        if (x->colour[a] < 0) continue;
        int sum = 0;
        for (int b = 0; b < SOURCES; b++) sum += x->colour[b] == x->colour[a] ? x->score[b] : 0;
        x->vote[a] = sum;
        if (x->top < 0 || sum > x->top_score) {
            x->top = x->colour[a];
            x->top_score = sum;
        }
    }
}

/* Fourth version: before there is a picture to look at, the left half of this one, mirrored or once more: consoles with
 * little memory draw the right half of a playfield so.
 */
static void left_half(Pictures *p, Pixel *x, int64_t i) {
    int64_t column = i % p->stride - PAD, half = p->width / 2;
    int right = column >= half;
    hst_opinion(p, x, 2, right ? p->cur[i - 2 * column + p->width - 1] : -1, 0);
    hst_opinion(p, x, 3, right ? p->cur[i - half] : -1, 0);
}

void hst_look_at(Pictures *p, Pixel *x, int64_t i) {
    int64_t s = p->stride, j = i + p->shift;
    const uint8_t *c = p->cur + i, *q = p->prev + j;
    uint32_t hash[3];
    surroundings(c, q, s, hash);
    for (int n = 0; n < 3; n++) touch_cell(p, hash[n]);
    x->mistakes = mistakes(p, i);
    if (p->rendered) {
        rendered(p, x, i);
    } else {
        if (p->ring) {
            hst_find_places(p, x, i);
        } else {
            hst_opinion(p, x, 0, -1, 0);
            hst_opinion(p, x, 1, -1, 0);
        }
        x->cell[0] = x->cell[1] = x->sprite[0] = x->sprite[1] = 0;
    }
    if (p->first && p->version > 3) {
        left_half(p, x, i);
    } else {
        hst_opinion(p, x, 2, q[0], p->first ? 0 : 7);
        if (!p->first && hst_blinks(p)) hst_look_before(p, x, i);
        else hst_opinion(p, x, 3, p->prev[i], p->first ? 0 : 7);
    }
    opinion_of_cell(p, x, 4, hash[0]);
    if (p->first) {
        x->key[5] = 0;
        x->cell[5] = 0;
        hst_opinion(p, x, 5, -1, 0);
    } else {
        opinion_of_cell(p, x, 5, hash[1]);
    }
    opinion_of_cell(p, x, 6, hash[2]);
    if (!p->rendered) x->key[0] = x->key[6];
    vote(x);
    if (x->top < 0) x->top = c[-1];
}

void hst_learn_rendered(Pixel *x, int colour) {
    int covered = 0;
    for (int n = 1; n >= 0 && !covered; n--) {
        uint32_t *c = x->sprite[n];
        if (!c) continue;
        int clear = colour == x->under[n];
        int known = hst_cell_trust(*c) && hst_cell_value(*c) == TRANSPARENT;
        if (clear && (known || !hst_cell_trust(*c) || hst_cell_value(*c) != colour)) hst_cell_learn(c, TRANSPARENT);
        else hst_cell_learn(c, colour);
        covered = hst_cell_value(*c) != TRANSPARENT;
    }
    if (!covered) hst_cell_learn(x->cell[0], colour);
    hst_cell_learn(x->cell[1], colour);
}

void hst_learn_pixel(Pictures *p, Pixel *x, int64_t i, int colour, int sources) {
    int wrong = colour != x->top ? TOP_MISSED : 0;
    for (int s = 0; s < SOURCES; s++) {
        if (x->colour[s] < 0) continue;
        int right = x->colour[s] == colour;
        if (!right) wrong |= 1 << s;
        if (!sources) continue;
        *x->source[s] = hst_slot_update(&p->maths, *x->source[s], right, 15);
        p->scores[x->source[s] - p->sources] = (int16_t)hst_stretch(&p->maths, *x->source[s] >> 16);
    }
    p->wrong[i] = (uint8_t)wrong;
    if (p->rendered) hst_learn_rendered(x, colour);
    else if (p->ring) hst_learn_places(p, x, i, colour);
    for (int s = 4; s < SOURCES; s++)
        if (x->cell[s]) hst_cell_learn(x->cell[s], colour);
}
