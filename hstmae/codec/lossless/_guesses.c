/* Coder of byte rows, second version: what a byte that changes becomes. Twin: reference/guesses.py.
 *
 * Several sources each name a value: by what followed the same contexts before, or by a rule. They are trusted by how
 * often they were right of this byte; the value most is said for is asked for first.
 */
#include "_rows.h"

static void look(Rows *r, const Row *w, uint32_t a, const uint16_t *p, Guesses *g) {
    const uint8_t *cur = r->cur, *last = r->last;
    uint32_t v = last[a], q[4], d[3], here = a * 2 + w->first, h = hst_hash2(here, v), d1 = (uint8_t)(v - r->older[a]);
    for (int i = 0; i < 4; i++) q[i] = cur[p[i]];
    for (int i = 0; i < 3; i++) d[i] = (uint8_t)(cur[p[i]] - last[p[i]]);
    uint32_t hash[GUESS_CELLS] = {hst_hash2(h, q[0] << 8 | q[1]),
                                  hst_hash2(h, (uint32_t)r->older[a] << 8 | d[0]),
                                  hst_hash2(here, q[0] << 16 | q[1] << 8 | q[2]),
                                  hst_hash2(h, (uint32_t)(a ? cur[a - 1] : 0) << 8 | q[3]),
                                  hst_hash2(here, d[0] << 16 | d[1] << 8 | d[2]),
                                  hst_hash2(here, d1 << 8 | r->since[a])};
    for (int n = 0; n < GUESS_CELLS; n++) {
        hash[n] = hst_hash2(hash[n], (uint32_t)n + 96);
        hst_touch(r->cells + (hash[n] >> (32 - r->cell_bits)));
    }
    int said[GUESSES - GUESS_CELLS] = {(int)((v + d[0]) & 255), (int)((v + d[1]) & 255), (int)((v + d1) & 255),
                                       (int)((v >> 1 | (uint32_t)(a ? last[a - 1] : 0) << 7) & 255), (int)q[0], (int)q[1]};
    for (int n = 0; n < GUESSES; n++) {
        int value, sure = 0;
        if (n < GUESS_CELLS) {
            uint32_t *c = g->cell[n] = hst_cell(r->cells, r->cell_bits, hash[n]);
            sure = HST_LEVEL[hst_cell_trust(*c)];
            value = !sure ? -1 : n < 4 ? hst_cell_value(*c) & 255 : (hst_cell_value(*c) + (int)v) & 255;
        } else {
            value = said[n - GUESS_CELLS];
        }
        if (value == (int)v) value = -1;
        g->value[n] = value;
        g->score[n] = 0;
        if (value < 0) continue;
        g->source[n] = hst_slot(r->slots, r->bits, hst_hash2(here, (uint32_t)(n * 8 + sure) + 1024));
        g->score[n] = hst_slot_input(&r->maths, *g->source[n]);
    }
}

/* The value with the highest sum of scores of those that were not tried, of those with equal sums the first; -1 = none. */
static int best_guess(const Guesses *g, const int *tried, int rank, int *best) {
    int top = -1;
    for (int n = 0; n < GUESSES; n++) {
        int sum = 0, used = g->value[n] < 0;
        for (int k = 0; k < rank; k++) used |= g->value[n] == tried[k];
        if (used) continue;
        for (int m = 0; m < GUESSES; m++) sum += g->value[m] == g->value[n] ? g->score[m] : 0;
        if (top < 0 || sum > *best) top = g->value[n], *best = sum;
    }
    return top;
}

/* Whether a byte that changes becomes `top`; `value` is the truth in encoding. */
static int code_guess(Rows *r, const Row *w, uint32_t a, const uint16_t *p, const Guesses *g, int top, int best, int rank,
                      int value) {
    Mix16 mix;
    uint32_t *slot[GUESS_SLOTS], agree = 0, v = r->last[a], q = r->cur[p[0]], here = (a * 2 + w->first) * RANKS + (uint32_t)rank;
    for (int n = 0; n < GUESSES; n++) {
        mix.in[n] = (int16_t)(g->value[n] == top ? g->score[n] : -g->score[n]);
        agree |= (uint32_t)(g->value[n] == top) << n;
    }
    uint32_t bucket = best < 0 ? 0 : best / 512 > 15 ? 15 : (uint32_t)best / 512;
    uint32_t hash[GUESS_SLOTS] = {hst_hash2(here, agree),
                                  hst_hash2(here, (uint32_t)top),
                                  hst_hash2(here, v << 8 | (uint32_t)top),
                                  hst_hash2(here, q << 8 | (uint32_t)top),
                                  hst_hash2(here, bucket << 6 | (agree & 63)),
                                  hst_hash2(here, r->past[a]),
                                  hst_hash2(agree, bucket << 2 | (uint32_t)rank),
                                  hst_hash2(here, (uint32_t)(uint8_t)(top - (int)v) << 8 | (uint8_t)(q - r->last[p[0]]))};
    for (int n = 0; n < GUESS_SLOTS; n++) {
        slot[n] = hst_slot(r->slots, r->bits, hst_hash2(hash[n], (uint32_t)n + 128));
        mix.in[GUESSES + n] = (int16_t)hst_slot_input(&r->maths, *slot[n]);
    }
    mix.in[GUESSES + GUESS_SLOTS] = 256;
    for (int n = GUESSES + GUESS_SLOTS + 1; n < GUESS_INPUTS; n++) mix.in[n] = 0;
    mix.a = r->guess_own + (int64_t)a * GUESS_INPUTS;
    mix.b = r->guess_shared + ((int64_t)bucket + 16 * rank) * GUESS_INPUTS;
    uint32_t probability = hst_mix16(&r->maths, &mix, GUESS_INPUTS);
    int bit = hst_code_bit(r->coder, value == top, probability);
    for (int n = 0; n < GUESS_SLOTS; n++) *slot[n] = hst_slot_update(&r->maths, *slot[n], bit, r->limit);
    hst_learn16(&mix, GUESS_INPUTS, bit, probability, r->speed);
    return bit;
}

int hst_guess(Rows *r, const Row *w, uint32_t a, const uint16_t *p, Guesses *g, int truth) {
    int tried[RANKS];
    look(r, w, a, p, g);
    for (int rank = 0; rank < RANKS; rank++) {
        int best = 0, top = best_guess(g, tried, rank, &best);
        if (top < 0) break;
        if (code_guess(r, w, a, p, g, top, best, rank, truth)) return top;
        tried[rank] = top;
    }
    return -1;
}

void hst_learn_guesses(Rows *r, Guesses *g, uint32_t before, uint32_t value) {
    for (int n = 0; n < GUESSES; n++)
        if (g->value[n] >= 0) *g->source[n] = hst_slot_update(&r->maths, *g->source[n], g->value[n] == (int)value, r->limit);
    for (int n = 0; n < GUESS_CELLS; n++) hst_cell_learn(g->cell[n], n < 4 ? (int)value : (int)(uint8_t)(value - before));
}
