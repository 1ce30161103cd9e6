/* Lossless kernel: what the files of the coder of true colour share. See _kernel.h for the rules. */
#ifndef HST_COLOURS_H
#define HST_COLOURS_H

#include "_kernel.h"

enum { C_PAD = 4, C_BLOCK = 8, C_NONE = -1 };

/* Who says what colour a pixel has: what stood where the same was on the left, and above; memories of surroundings, two
 * of this picture and two with the one before; the pixel before, above, on the left; where most of the picture comes
 * from, and the second most; memories of the pair left and above, and of what became of a colour.
 */
enum { C_LEFT, C_ABOVE, C_NEAR, C_FAR, C_OLD, C_OLDER, C_STILL, C_UP, C_WEST, C_USUAL, C_SECOND, C_PAIR, C_NEXT, C_SOURCES };

enum { C_RANKS = 5, C_SLOTS = 6, C_INPUTS = 24, C_AGREE = 64, C_TRAILS = 32 }; /* of a pixel's guesses */
enum { C_WIDE = 8, C_QUIET_SLOTS = 5, C_KNOWN_SLOTS = 6, C_REST_SLOTS = 5, C_KNOWN = 12 };
enum { C_WAYS = 6, C_CELLS = 6, C_LEVELS = 8, C_NEAR_BITS = 4, C_USUAL_BITS = 8 };
enum { C_MISSED = 1 << 15 }; /* in `wrong`: the first guess was */

typedef struct {
    uint32_t colour;
    uint16_t check, trust;
} ColourCell;

typedef struct {
    Coder coder;
    Maths maths;
    uint32_t limit;
    int speed, first;
    int64_t height, width, stride, area, ring_size;
    uint32_t *ring, *cur, *prev; /* pictures with a border, and the place of this one and the one before */
    uint32_t *slots, *places, *back;
    uint8_t *run, *errors, *flags; /* errors [area, 3 channels, C_WAYS]: the last ones at each place */
    uint16_t *wrong;
    ColourCell *cells;
    int bits;
    uint32_t sources[C_SOURCES * C_LEVELS << C_NEAR_BITS], known[1 << C_KNOWN];
    int16_t scores[C_SOURCES * C_LEVELS << C_NEAR_BITS];
    uint32_t usual[2], usual_back[1 << C_USUAL_BITS], usual_count[1 << C_USUAL_BITS];
    int64_t cost[2]; /* in 1/256 bit, what a colour that was seen lately took: told from its channels, and by its place */
    uint32_t choices;
    int32_t w_pixel[C_RANKS * (C_AGREE + C_TRAILS) * C_INPUTS], w_quiet[2 * 17 * C_WIDE];
    int32_t w_known[(2 + C_KNOWN) * C_WIDE], w_rest[3 * 26 * C_WIDE];
} Colours;

typedef struct {
    int32_t colour[C_SOURCES], top;
    int score[C_SOURCES], vote[C_SOURCES], at[C_SOURCES], top_score, run[2];
    uint32_t key[C_CELLS], place[2], back[2];
    ColourCell *cell[C_CELLS];
} Dot;

void hst_dot_look(Colours *p, Dot *x, int64_t i);
uint32_t hst_dot_code(Colours *p, const Dot *x, int64_t i, int missed, uint32_t colour);
void hst_dot_learn(Colours *p, const Dot *x, int64_t i, uint32_t colour);
uint32_t hst_colour_rest(Colours *p, const Dot *x, int64_t i, uint32_t colour);
int hst_colour_bit(Colours *p, const int16_t *given, int count, const uint32_t *hash, int slots, int wide, int32_t *a,
                   int32_t *b, int bit);

static inline int64_t hst_behind(const Colours *p, int64_t i, uint32_t back) {
    int64_t at = p->cur - p->ring + i - back;
    return at < 0 ? at + p->ring_size : at;
}

#endif
