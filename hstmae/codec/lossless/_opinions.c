/* Picture coder: what each source says about a pixel, and what is learned from the truth. Twin: reference_pictures.py. */
#include "_picture.h"

/* ---- memory of colours: check in 8 bits, confidence in 6, colour in 9 ---- */

static uint32_t *cell_at(Pictures *p, uint32_t hash) {
    uint32_t *c = p->cells + (hash >> (32 - p->cell_bits));
    if ((*c >> 16) != (hash & 0xff)) *c = (hash & 0xff) << 16;
    return c;
}
static inline int cell_colour(uint32_t c) { return (int)(c & 511); }
static inline int cell_trust(uint32_t c) { return (int)((c >> 9) & 63); }
static inline uint32_t cell_make(uint32_t old, int trust, int colour) {
    return (old & 0x00ff0000u) | (uint32_t)trust << 9 | (uint32_t)colour;
}
static void cell_learn(uint32_t *c, int colour, int fallback) {
    int trust = cell_trust(*c);
    if (trust && cell_colour(*c) == colour) *c = cell_make(*c, trust < 63 ? trust + 1 : 63, colour);
    else if (trust > 1) *c = cell_make(*c, trust / 2, cell_colour(*c));
    else *c = cell_make(*c, 1, fallback);
}
static const uint8_t LEVEL[64] = {0, 1, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5,
                                  5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6,
                                  6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7};

static void opinion(Pictures *p, Pixel *x, int64_t i, int s, int colour, int level) {
    const uint8_t *e = p->wrong;
    int near = (e[i - 1] >> s & 1) | (e[i - p->stride] >> s & 1) << 1 | (e[i - p->stride + 1] >> s & 1) << 2 |
               (e[i] >> s & 1) << 3 | (e[i + 1] >> s & 1) << 4 | (e[i + p->stride] >> s & 1) << 5;
    x->colour[s] = colour;
    if (colour < 0) {
        x->score[s] = 0;
        x->source[s] = 0;
        return;
    }
    x->source[s] = p->sources + (s * 8 + level) * 64 + near;
    x->score[s] = hst_stretch(&p->maths, *x->source[s] >> 16);
}

static void opinion_of_cell(Pictures *p, Pixel *x, int64_t i, int s, uint32_t hash) {
    x->key[s] = hash;
    x->cell[s] = cell_at(p, hash);
    int trust = cell_trust(*x->cell[s]);
    opinion(p, x, i, s, trust ? cell_colour(*x->cell[s]) : -1, LEVEL[trust]);
}

/* What tile and sprites say: sprites may be transparent where they are, which is learned like their colours. */
static void rendered(Pictures *p, Pixel *x, int64_t i) {
    uint32_t tile = p->tile[i], front = p->front[i], second = p->second[i];
    uint32_t hash = hst_hash2(hst_hash2(tile, p->look[0]), 1);
    x->key[0] = hash;
    x->cell[0] = cell_at(p, hash);
    int trust = cell_trust(*x->cell[0]), colour = trust ? cell_colour(*x->cell[0]) : -1;
    x->sprite[0] = x->sprite[1] = 0;
    for (int n = 0; n < 2; n++) {
        uint32_t key = n ? front : second;
        x->under[n] = colour;
        if (!key) continue;
        x->key[0] = hst_hash2(hst_hash2(key, p->look[0]), 2);
        uint32_t *c = x->sprite[n] = cell_at(p, x->key[0]);
        int sure = cell_trust(*c);
        if (sure && cell_colour(*c) != TRANSPARENT) {
            colour = cell_colour(*c);
            trust = sure;
        } else if (sure < trust) {
            trust = sure;
            if (!sure) colour = -1;
        }
    }
    opinion(p, x, i, 0, colour, LEVEL[trust]);
    uint32_t over = front ? hst_hash2(front, (uint32_t)(x->under[1] + 1)) : hst_hash2(tile, 0);
    opinion_of_cell(p, x, i, 1, hst_hash2(hst_hash2(over, p->look[1]), 3));
}

void hst_look_at(Pictures *p, Pixel *x, int64_t i) {
    int64_t s = p->stride, j = i + p->shift;
    const uint8_t *c = p->cur + i, *q = p->prev + j;
    uint32_t near = (uint32_t)c[-1] | (uint32_t)c[-s] << 8 | (uint32_t)c[-s - 1] << 16 | (uint32_t)c[-s + 1] << 24;
    uint32_t far = (uint32_t)c[-2] | (uint32_t)c[-2 * s] << 8 | (uint32_t)c[-s + 2] << 16 | (uint32_t)c[-s - 2] << 24;
    uint32_t farther = (uint32_t)c[-3] | (uint32_t)c[-2 * s + 1] << 8 | (uint32_t)c[-2 * s - 1] << 16 |
                       (uint32_t)c[-s + 3] << 24;
    uint32_t old = (uint32_t)q[0] | (uint32_t)q[1] << 8 | (uint32_t)q[s] << 16 | (uint32_t)q[-1] << 24;
    uint32_t older = (uint32_t)q[-s] | (uint32_t)q[s + 1] << 8 | (uint32_t)q[s - 1] << 16 | (uint32_t)q[2] << 24;
    if (p->rendered) {
        rendered(p, x, i);
    } else {
        opinion(p, x, i, 0, -1, 0);
        opinion(p, x, i, 1, -1, 0);
        x->cell[0] = x->cell[1] = x->sprite[0] = x->sprite[1] = 0;
    }
    opinion(p, x, i, 2, q[0], p->first ? 0 : 7);
    opinion(p, x, i, 3, p->prev[i], p->first ? 0 : 7);
    opinion_of_cell(p, x, i, 4, hst_hash2(hst_hash2(near, far & 0xffff), 4));
    if (p->first) {
        x->key[5] = 0;
        x->cell[5] = 0;
        opinion(p, x, i, 5, -1, 0);
    } else {
        opinion_of_cell(p, x, i, 5, hst_hash2(hst_hash2(hst_hash2(near & 0xffffff, old), older & 0xffffff), 5));
    }
    opinion_of_cell(p, x, i, 6, hst_hash2(hst_hash2(hst_hash2(near, far), farther), 6));
    if (!p->rendered) x->key[0] = x->key[6];
    x->top = -1;
    x->top_score = 0;
    for (int a = 0; a < SOURCES; a++) {
        if (x->colour[a] < 0) continue;
        int vote = 0;
        for (int b = 0; b < SOURCES; b++)
            if (x->colour[b] == x->colour[a]) vote += x->score[b];
        x->vote[a] = vote;
        if (x->top < 0 || vote > x->top_score) {
            x->top = x->colour[a];
            x->top_score = vote;
        }
    }
    if (x->top < 0) x->top = c[-1];
}

void hst_learn_pixel(Pictures *p, Pixel *x, int64_t i, int colour, int sources) {
    int wrong = colour != x->top ? TOP_MISSED : 0;
    for (int s = 0; s < SOURCES; s++) {
        if (x->colour[s] < 0) continue;
        int right = x->colour[s] == colour;
        if (!right) wrong |= 1 << s;
        if (sources) *x->source[s] = hst_slot_update(&p->maths, *x->source[s], right, 15);
    }
    p->wrong[i] = (uint8_t)wrong;
    if (p->rendered) {
        int covered = 0;
        for (int n = 1; n >= 0 && !covered; n--) {
            uint32_t *c = x->sprite[n];
            if (!c) continue;
            int clear = colour == x->under[n];
            int known = cell_trust(*c) && cell_colour(*c) == TRANSPARENT;
            if (clear && (known || !cell_trust(*c) || cell_colour(*c) != colour)) cell_learn(c, TRANSPARENT, TRANSPARENT);
            else cell_learn(c, colour, colour);
            covered = cell_colour(*c) != TRANSPARENT;
        }
        if (!covered) cell_learn(x->cell[0], colour, colour);
        cell_learn(x->cell[1], colour, colour);
    }
    for (int s = 4; s < SOURCES; s++)
        if (x->cell[s]) cell_learn(x->cell[s], colour, colour);
}
