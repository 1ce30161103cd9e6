/* Picture coder: what stood in earlier pictures where the same was around. Twin: reference/places.py.
 *
 * Two opinions in place of those that the game's memory would have: as far back as the pixel on the left was found, and
 * as far back as the one above; where neither was, what a table of places by what is around says.
 */
#include "_picture.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST = 5, SURE = 16, MOST = 24 }; /* pixels in a row that have to be alike, and that are looked at */

static inline int64_t behind(const Pictures *p, int64_t i, uint32_t back) {
    int64_t at = p->cur - p->ring + i - back;
    return at < 0 ? at + p->ring_size : at;
}

static void look_up(const Pictures *p, Pixel *x, int64_t i, int n, uint32_t place) {
    uint32_t found = p->places[place];
    if (!found) return;
    int64_t at = (int64_t)found - 1, here = p->cur - p->ring + i, run = 0;
    while (run < MOST && at - run > 0 && p->ring[at - 1 - run] == p->cur[i - 1 - run]) run++;
    if (run < LEAST || at == here || run <= x->run[n]) return;
    x->back[n] = (uint32_t)(here > at ? here - at : here - at + p->ring_size);
    x->run[n] = (int)run;
}

static inline uint32_t four(const uint8_t *c) {
    return (uint32_t)c[0] | (uint32_t)c[1] << 8 | (uint32_t)c[2] << 16 | (uint32_t)c[3] << 24;
}

void hst_find_places(Pictures *p, Pixel *x, int64_t i) {
    int64_t s = p->stride;
    const uint8_t *c = p->cur + i, *a = c - s;
    uint32_t left = four(c - 4), farther = four(c - 8), above = four(a - 3);
    uint32_t corner = (uint32_t)a[1] | (uint32_t)a[2] << 8, around = hst_hash2(left, above);
    x->place[0] = hst_hash2(left, farther) >> (32 - p->place_bits);
    x->place[1] = hst_hash2(around, hst_hash2(corner, farther & 0xffff0000u)) >> (32 - p->place_bits);
    x->back[0] = p->back[i - 1];
    x->run[0] = x->back[0] ? p->run[i - 1] : 0;
    x->back[1] = p->back[i - s];
    x->run[1] = x->back[1] ? p->run[i - s] : 0;
    if (x->run[0] < SURE) look_up(p, x, i, 0, x->place[0]);
    if (x->back[1] == x->back[0]) x->back[1] = 0, x->run[1] = 0;
    if (x->run[1] < SURE) look_up(p, x, i, 1, x->place[1]);
    for (int n = 0; n < 2; n++)
        hst_opinion(p, x, n, x->back[n] ? p->ring[behind(p, i, x->back[n])] : -1, HST_LEVEL[x->run[n]]);
    /* while the block is only being looked at, what is expected is taken for right */
    p->back[i] = x->back[0] ? x->back[0] : x->back[1];
    p->run[i] = (uint8_t)(x->back[0] ? x->run[0] : x->run[1]);
}

void hst_learn_places(Pictures *p, Pixel *x, int64_t i, int colour) {
    int right[2] = {x->colour[0] == colour, x->colour[1] == colour};
    int best = right[0] && right[1] ? x->run[1] > x->run[0] : right[1] ? 1 : 0;
    uint32_t back = x->back[best];
    int run = x->run[best];
    if (!back) run = 0;
    else if (right[best]) run = run < 63 ? run + 1 : 63;
    else if ((run /= 4) < 1) back = 0;
    p->back[i] = back;
    p->run[i] = (uint8_t)run;
    p->places[x->place[0]] = p->places[x->place[1]] = (uint32_t)(p->cur - p->ring + i) + 1;
}

/* Where nothing moved, what the picture before the last one had, in place of a second time what the last one has: things
 * that are drawn in every second picture are there.
 */
void hst_look_before(Pictures *p, Pixel *x, int64_t i) {
    int64_t s = p->stride;
    const uint8_t *c = p->cur + i, *o = hst_before_last(p, i);
    hst_opinion(p, x, 3, o[0], (o[-1] == c[-1]) | (o[-s] == c[-s]) << 1 | (o[-s + 1] == c[-s + 1]) << 2);
}

/* Of a block that was not as expected: whether it was as in the picture before the last one. Twice in a row, and it is
 * expected to be so again.
 */
void hst_ask_before(Pictures *p, uint8_t *from, int64_t i, int64_t rows, int64_t columns) {
    int same = 1;
    for (int64_t y = 0; y < rows; y++, i += p->stride) same &= !memcmp(p->cur + i, hst_before_last(p, i), (size_t)columns);
    *from = (uint8_t)((*from & FROM_HERE) | (!same ? 0 : *from & ONCE_BEFORE ? FROM_BEFORE : ONCE_BEFORE));
}

/* From now on look for what is drawn in up to `count` pictures of before, 2 or more, with a table of 2**bits places;
 * to be called before the first picture, where the memory says nothing of pictures. 0, or a negative error.
 */
HST_API int64_t hst_pictures_look_back(Pictures *p, int64_t count, int bits) {
    int64_t area = p->stride * (p->height + 2 * PAD);
    if (p->t || p->ring || p->rendered || count < 2 || count > (1 << 30) / area || bits < 8 || bits > 24)
        return HST_ARGUMENT;
    p->ring = calloc((size_t)(count * area), 1);
    p->places = calloc((size_t)1 << bits, 4);
    p->back = calloc((size_t)area, 4);
    p->run = calloc((size_t)area, 1);
    if (!p->ring || !p->places || !p->back || !p->run) return HST_MEMORY; /* hst_pictures_close frees them */
    p->ring_size = count * area;
    p->place_bits = bits;
    p->cur = p->ring;
    p->prev = p->ring + area; /* zeros, as before the first picture */
    return 0;
}
