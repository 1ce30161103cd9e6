/* Types of the coder of byte rows, shared by _rows.c and _guesses.c. */
#ifndef HST_ROWS_H
#define HST_ROWS_H

#include "_kernel.h"

enum {
    PARTNERS = 6,
    CONTEXTS = 32,
    INPUTS = CONTEXTS + 1,
    WIDE = 40,  /* INPUTS of the second version, filled up for what computes eight at once */
    LINE = 8,   /* bytes that are coded one after the other and mostly stay as they are together */
    LINE_CONTEXTS = 15,
    LINE_INPUTS = LINE_CONTEXTS + 1,
    LINE_PARTNERS = 3,
    GUESS_CELLS = 6, /* what a byte changes to, by contexts */
    GUESSES = GUESS_CELLS + 6,
    GUESS_SLOTS = 8,
    RANKS = 4,
    GUESS_INPUTS = 24 /* GUESSES + GUESS_SLOTS + 1, filled up likewise */
};

typedef struct {
    Maths maths;
    Coder own_coder, *coder;
    uint32_t *slots;
    int bits, version;
    int32_t *own, *shared; /* weights by address (and flag or value), and by situation */
    uint32_t limit;
    int speed, mode;
    uint8_t *rows;
    int64_t frames, size, sides, t;
    const uint8_t *side, *start;
    const uint16_t *order, *partners;
    uint8_t *work, *cur, *last, *older; /* rows t, t-1, t-2 with their sides */
    uint8_t *past, *since;              /* changes of the last 8 frames; frames since the last one */
    /* from the second version on, else 0 */
    const uint16_t *first_partners, *line_partners;
    int32_t *line_own, *line_shared, *guess_own, *guess_shared;
    uint32_t *cells;
    int cell_bits;
    uint8_t *line_past, *line_since;
} Rows;

/* What is the same for all bytes of a row, and what grows from byte to byte. */
typedef struct {
    uint32_t first, input, recent, busy;
    const uint8_t *row, *third, *sixth;
} Row;

/* What a byte that changes may become: each guess, what it is worth, and where that is learned. */
typedef struct {
    uint32_t *cell[GUESS_CELLS], *source[GUESSES];
    int value[GUESSES]; /* -1 = none */
    int score[GUESSES];
} Guesses;

/* The contexts of byte `a`, whose partners are at `p`, to [CONTEXTS]. */
void hst_row_contexts(const Rows *r, const Row *w, uint32_t a, const uint16_t *p, uint32_t *c);
int hst_learn_byte(Rows *r, uint8_t *row, uint32_t a, uint32_t value); /* whether it changed */
void hst_code_lines(Rows *r, Row *w, uint8_t *row);                    /* a row */
/* What byte `a`, whose partners are at `p`, becomes: the value, or -1 where it is none of the guesses. `truth` is of no
 * account in decoding.
 */
int hst_guess(Rows *r, const Row *w, uint32_t a, const uint16_t *p, Guesses *g, int truth);
void hst_learn_guesses(Rows *r, Guesses *g, uint32_t before, uint32_t value);

#endif
