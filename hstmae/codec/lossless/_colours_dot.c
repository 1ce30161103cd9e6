/* True colour: what is said of a pixel, its guesses, and what is learned of it. Twin: reference/colours.py. */
#include "_colours.h"

enum { LEAST = 4, SURE = 16, MOST = 24 }; /* pixels in a row that have to be alike, and that are looked at */

int hst_colour_bit(Colours *p, const int16_t *given, int count, const uint32_t *hash, int slots, int wide, int32_t *a,
                   int32_t *b, int bit) {
    uint32_t *slot[C_SLOTS];
    Mix16 mix = {.a = a, .b = b};
    int n = 0;
    for (; n < count; n++) mix.in[n] = given[n];
    for (int k = 0; k < slots; k++, n++) {
        slot[k] = hst_slot(p->slots, p->bits + 1, hash[k]);
        mix.in[n] = (int16_t)hst_slot_input(&p->maths, *slot[k]);
    }
    mix.in[n++] = 256;
    for (; n < wide; n++) mix.in[n] = 0;
    uint32_t probability = hst_mix16(&p->maths, &mix, wide);
    bit = hst_code_bit(&p->coder, bit, probability);
    for (int k = 0; k < slots; k++) *slot[k] = hst_slot_update(&p->maths, *slot[k], bit, p->limit);
    hst_learn16(&mix, wide, bit, probability, p->speed);
    return bit;
}

static ColourCell *cell_of(Colours *p, uint32_t hash) {
    ColourCell *c = p->cells + (hash >> (32 - p->bits));
    uint16_t check = (uint16_t)hash;
    if (c->check != check) *c = (ColourCell){0, check, 0};
    return c;
}

static void learn_cell(ColourCell *c, uint32_t colour) {
    if (c->trust && c->colour == colour) c->trust = c->trust < 63 ? c->trust + 1 : 63;
    else if (c->trust > 1) c->trust /= 2;
    else c->colour = colour, c->trust = 1;
}

static void look_up(const Colours *p, Dot *x, int64_t i, int n) {
    uint32_t found = p->places[x->place[n]];
    if (!found) return;
    int64_t at = (int64_t)found - 1, here = p->cur - p->ring + i, run = 0;
    while (run < MOST && at - run > 0 && p->ring[at - 1 - run] == p->cur[i - 1 - run]) run++;
    if (run < LEAST || at == here || run <= x->run[n]) return;
    x->back[n] = (uint32_t)(here > at ? here - at : here - at + p->ring_size);
    x->run[n] = (int)run;
}

static void say(Colours *p, Dot *x, int s, int32_t colour, int level, const uint16_t *e) {
    int near = (e[-1] >> s & 1) | (e[-p->stride] >> s & 1) << 1 | (e[-p->stride + 1] >> s & 1) << 2 | (e[0] >> s & 1) << 3;
    x->colour[s] = colour;
    x->at[s] = (s * C_LEVELS + level) << C_NEAR_BITS | near;
    x->score[s] = colour < 0 ? 0 : p->scores[x->at[s]];
}

/* The colour with the highest sum of scores, of those with equal sums the first. */
static void vote(Dot *x) {
    x->top = C_NONE;
    x->top_score = 0;
    for (int a = 0; a < C_SOURCES; a++) {
        x->vote[a] = 0;
        if (x->colour[a] < 0) continue;
        for (int b = 0; b < C_SOURCES; b++) x->vote[a] += x->colour[b] == x->colour[a] ? x->score[b] : 0;
        if (x->top < 0 || x->vote[a] > x->top_score) x->top = x->colour[a], x->top_score = x->vote[a];
    }
}

void hst_dot_look(Colours *p, Dot *x, int64_t i) {
    int64_t s = p->stride;
    const uint32_t *c = p->cur + i, *q = p->prev + i, *r = p->ring;
    const uint16_t *e = p->wrong + i;
    uint32_t pair = hst_hash2(c[-1], c[-s]), near = hst_hash2(pair, hst_hash2(c[-s - 1], c[-s + 1]));
    uint32_t far = hst_hash2(near, hst_hash2(hst_hash2(c[-2], c[-2 * s]), hst_hash2(c[-s + 2], c[-s - 2])));
    uint32_t right = hst_hash2(q[0], q[1]);
    x->key[0] = hst_hash2(near, 4);
    x->key[1] = hst_hash2(far, 5);
    x->key[2] = hst_hash2(hst_hash2(pair, right), 6);
    x->key[3] = hst_hash2(hst_hash2(pair, hst_hash2(right, hst_hash2(q[s], q[-1]))), 7);
    x->key[4] = hst_hash2(pair, 8);
    x->key[5] = hst_hash2(q[0], 9);
    x->place[0] = hst_hash2(hst_hash2(c[-1], c[-2]), hst_hash2(c[-3], c[-4])) >> (32 - p->bits);
    x->place[1] = hst_hash2(far, hst_hash2(c[-3], 1)) >> (32 - p->bits);
    x->back[0] = p->back[i - 1];
    x->run[0] = x->back[0] ? p->run[i - 1] : 0;
    x->back[1] = p->back[i - s];
    x->run[1] = x->back[1] ? p->run[i - s] : 0;
    if (x->run[0] < SURE) look_up(p, x, i, 0);
    if (x->back[1] == x->back[0]) x->back[1] = 0, x->run[1] = 0;
    if (x->run[1] < SURE) look_up(p, x, i, 1);
    for (int n = 0; n < 2; n++)
        say(p, x, C_LEFT + n, x->back[n] ? (int32_t)r[hst_behind(p, i, x->back[n])] : C_NONE, HST_LEVEL[x->run[n]], e);
    static const int source[C_CELLS] = {C_NEAR, C_FAR, C_OLD, C_OLDER, C_PAIR, C_NEXT}, before[C_CELLS] = {0, 0, 1, 1, 0, 1};
    for (int n = 0; n < C_CELLS; n++) {
        ColourCell *k = x->cell[n] = p->first && before[n] ? 0 : cell_of(p, x->key[n]);
        say(p, x, source[n], k && k->trust ? (int32_t)k->colour : C_NONE, k ? HST_LEVEL[k->trust] : 0, e);
    }
    int still = (q[-1] == c[-1]) | (q[-s] == c[-s]) << 1 | (q[-s + 1] == c[-s + 1]) << 2;
    int above = (c[-s - 1] == c[-1]) | (c[-s + 1] == c[-s]) << 1 | (c[-2 * s] == c[-s]) << 2;
    int left = (c[-s - 1] == c[-s]) | (c[-2] == c[-1]) << 1 | (c[-s + 1] == c[-s]) << 2;
    say(p, x, C_STILL, p->first ? C_NONE : (int32_t)q[0], still, e);
    say(p, x, C_UP, (int32_t)c[-s], above, e);
    say(p, x, C_WEST, (int32_t)c[-1], left, e);
    for (int n = 0; n < 2; n++) {
        int64_t at = p->usual[n] ? hst_behind(p, i, p->usual[n]) : 0;
        int alike = at <= s ? 0 : (r[at - 1] == c[-1]) | (r[at - s] == c[-s]) << 1 | (r[at - s + 1] == c[-s + 1]) << 2;
        say(p, x, C_USUAL + n, p->usual[n] ? (int32_t)r[at] : C_NONE, alike, e);
    }
    vote(x);
}

static int tried(const int32_t *before, int rank, int32_t colour) {
    int found = colour < 0;
    for (int r = 0; r < rank; r++) found |= before[r] == colour;
    return found;
}

/* Code the place of a colour among those that were seen lately. */
static uint32_t code_place(Colours *p, const uint32_t *by, uint32_t place) {
    uint32_t node = 1;
    for (int bit = C_KNOWN - 1; bit >= 0; bit--) {
        uint32_t hash[C_KNOWN_SLOTS];
        for (int n = 0; n < C_KNOWN_SLOTS; n++) hash[n] = hst_hash2(hst_hash2(by[n], node), (uint32_t)n + 230);
        node = node << 1 | (uint32_t)hst_colour_bit(p, 0, 0, hash, C_KNOWN_SLOTS, C_WIDE, p->w_known + C_WIDE,
                                                    p->w_known + (2 + bit) * C_WIDE, (int)(place >> bit & 1));
    }
    return p->known[node & ((1u << C_KNOWN) - 1)];
}

/* Code the colour of a pixel: one of a few guesses, one that was seen lately, or how far it is from what is likely. */
uint32_t hst_dot_code(Colours *p, const Dot *x, int64_t i, int missed, uint32_t colour) {
    int64_t s = p->stride;
    const uint32_t *c = p->cur + i;
    const uint16_t *e = p->wrong + i;
    int32_t before[C_RANKS];
    uint32_t pair = hst_hash2(c[-1], c[-s]), many = (uint32_t)(missed > 3 ? 3 : missed);
    uint32_t trail = (uint32_t)(e[-1] >> 15 | e[-s] >> 15 << 1 | e[-s - 1] >> 15 << 2 | e[-s + 1] >> 15 << 3 | e[0] >> 15 << 4);
    int rank = 0;
    for (; rank < C_RANKS; rank++) {
        int32_t guess = C_NONE;
        int best = 0;
        for (int a = 0; a < C_SOURCES; a++)
            if (!tried(before, rank, x->colour[a]) && (guess < 0 || x->vote[a] > best)) guess = x->colour[a], best = x->vote[a];
        if (guess < 0) break;
        int16_t given[C_SOURCES];
        uint32_t agree = 0, which = (uint32_t)rank, g = hst_hash2((uint32_t)guess, which);
        for (int a = 0; a < C_SOURCES; a++) {
            int yes = x->colour[a] == guess;
            given[a] = (int16_t)(tried(before, rank, x->colour[a]) ? 0 : yes ? x->score[a] : -x->score[a]);
            agree |= (uint32_t)yes << a;
        }
        uint32_t bucket = best < 0 ? 0 : best / 256 > 31 ? 31 : (uint32_t)best / 256;
        uint32_t hash[C_SLOTS] = {hst_hash2(x->key[1], g), hst_hash2(agree << 2 | many, which), hst_hash2(pair, g),
                                  hst_hash2(x->key[3], g), (bucket << 5 | trail) << 3 | which, g};
        for (int n = 0; n < C_SLOTS; n++) hash[n] = hst_hash2(hash[n], (uint32_t)n + 16);
        int row = (int)((agree & 3) | (agree >> C_FAR & 1) << 2 | (agree >> C_OLDER & 1) << 3 | (agree >> C_STILL & 1) << 4 |
                        (agree >> C_USUAL & 1) << 5);
        int32_t *weights = p->w_pixel + rank * (C_AGREE + C_TRAILS) * C_INPUTS;
        if (hst_colour_bit(p, given, C_SOURCES, hash, C_SLOTS, C_INPUTS, weights + row * C_INPUTS,
                           weights + (C_AGREE + (int)trail) * C_INPUTS, (uint32_t)guess == colour))
            return (uint32_t)guess;
        before[rank] = guess;
    }
    uint32_t top = (uint32_t)x->top, last = p->first ? 0 : p->prev[i], place = hst_hash2(colour, 11) >> (32 - C_KNOWN);
    uint32_t around[C_KNOWN_SLOTS] = {trail << 3 | (uint32_t)rank, top, pair, last, (uint32_t)(missed > 7 ? 7 : missed), 0};
    for (int n = 0; n < C_KNOWN_SLOTS; n++) around[n] = hst_hash2(around[n], (uint32_t)n + 220);
    int seen = !p->coder.decode && p->known[place] == colour, by_place = seen;
    if (seen) { /* the way that took less on the average; where that is much, at times the other */
        by_place = p->cost[1] <= p->cost[0];
        if (p->cost[by_place] > 16 * 16 * 8 && !(++p->choices & 63)) by_place = !by_place;
    }
    int64_t start = seen ? hst_spent(&p->coder) : 0;
    by_place = hst_colour_bit(p, 0, 0, around, C_KNOWN_SLOTS, C_WIDE, p->w_known, p->w_known + C_WIDE, by_place);
    const uint32_t by[C_KNOWN_SLOTS] = {0, top, c[-1], c[-s], last, pair};
    colour = by_place ? code_place(p, by, place) : hst_colour_rest(p, x, i, colour);
    if (seen) p->cost[by_place] += hst_spent(&p->coder) - start - p->cost[by_place] / 16;
    return colour;
}

/* Count where what is right comes from: most and second most. */
static void count_usual(Colours *p, uint32_t back) {
    uint32_t k = hst_hash2(back, 77) >> (32 - C_USUAL_BITS);
    if (p->usual_back[k] != back) {
        if (p->usual_count[k]) p->usual_count[k]--;
        else p->usual_back[k] = back, p->usual_count[k] = 1;
        return;
    }
    uint32_t now = ++p->usual_count[k], *usual = p->usual, count[2];
    for (int n = 0; n < 2; n++) count[n] = p->usual_count[hst_hash2(usual[n], 77) >> (32 - C_USUAL_BITS)];
    if (back == usual[0]) return;
    if (!usual[0] || now > count[0]) usual[1] = usual[0], usual[0] = back;
    else if (back != usual[1] && (!usual[1] || now > count[1])) usual[1] = back;
}

void hst_dot_learn(Colours *p, const Dot *x, int64_t i, uint32_t colour) {
    int wrong = (int32_t)colour != x->top ? C_MISSED : 0;
    for (int s = 0; s < C_SOURCES; s++) {
        if (x->colour[s] < 0) continue;
        int right = (uint32_t)x->colour[s] == colour, at = x->at[s];
        if (!right) wrong |= 1 << s;
        p->sources[at] = hst_slot_update(&p->maths, p->sources[at], right, 15);
        p->scores[at] = (int16_t)hst_stretch(&p->maths, p->sources[at] >> 16);
    }
    p->wrong[i] = (uint16_t)wrong;
    p->known[hst_hash2(colour, 11) >> (32 - C_KNOWN)] = colour;
    for (int n = 0; n < C_CELLS; n++)
        if (x->cell[n]) learn_cell(x->cell[n], colour);
    int right[2] = {x->back[0] && (uint32_t)x->colour[C_LEFT] == colour, x->back[1] && (uint32_t)x->colour[C_ABOVE] == colour};
    int best = right[0] && right[1] ? x->run[1] > x->run[0] : right[1], run = x->run[best];
    uint32_t back = x->back[best];
    if (!back) run = 0;
    else if (right[best]) run = run < 63 ? run + 1 : 63;
    else if ((run /= 4) < 1) back = 0;
    if (back && right[best] && run >= 8) count_usual(p, back);
    p->back[i] = back;
    p->run[i] = (uint8_t)run;
    p->places[x->place[0]] = p->places[x->place[1]] = (uint32_t)(p->cur - p->ring + i) + 1;
}
