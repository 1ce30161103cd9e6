/* Types of the picture coder, shared by _picture.c, _opinions.c and _scene.c. */
#ifndef HST_PICTURE_H
#define HST_PICTURE_H

#include "_kernel.h"

enum {
    PAD = 12,     /* rows and columns of zeros around a picture: shifts of 8 and neighbours of 3 stay within */
    BLOCK = 8,    /* pixels; a block is either as predicted or coded pixel by pixel */
    SOURCES = 7,  /* opinions on the next colour */
    MEMORIES = 5, /* of them come from the table of cells */
    RANKS = 4,
    PIXEL_SLOTS = 8,
    PIXEL_INPUTS = SOURCES + PIXEL_SLOTS + 1,
    FLAG_SLOTS = 5,
    FLAG_INPUTS = FLAG_SLOTS + 2,
    QUIET_SLOTS = 6,
    QUIET_INPUTS = QUIET_SLOTS + 2,
    ESCAPE_SLOTS = 4,
    ESCAPE_INPUTS = ESCAPE_SLOTS + 1,
    WIDE_INPUTS = 8, /* the third version fills up those of flags and of escapes to what is computed at once */
    FROM_HERE = 1, FROM_BEFORE = 2, ONCE_BEFORE = 4, ASK_BEFORE = 8, /* bits of `from` */
    TRANSPARENT = 256,
    TOP_MISSED = 128 /* bit of the mask of wrong sources */
};

/* What the kernel knows of the pictures of a group by the game's state; counts of 0 where nothing is known. */
typedef struct {
    int64_t layers, cells, sprites, size; /* tile layers, cells of all of them, sprites, pixels of a sprite's side */
    const int32_t *layout;                /* [layers, 3] rows, columns, pixels of a cell's side */
    const int16_t *tiles;                 /* [frames, cells] */
    const int16_t *corners;               /* [frames, layers, 2] x, y */
    const int16_t *list;                  /* [frames, sprites, 4] x, y, tile, attribute (64 and 128: flips) */
    const uint32_t *look;                 /* [frames, 2] hashes of what changes how everything looks */
} Scene;

typedef struct {
    Maths maths;
    Coder own_coder, *coder;
    uint32_t *slots, *cells, *sources;
    int slot_bits, cell_bits, version, flag_inputs, escape_inputs;
    int32_t *w_flag, *w_pixel, *w_escape;
    int32_t *w_quiet; /* from the second version on, else 0 */
    uint32_t last_tile, last_hash[2]; /* third version: the piece of a tile looked up last, and its hashes */
    uint32_t last_sprite[2], sprite_hash[2]; /* likewise */
    uint32_t limit;
    int speed;
    int64_t height, width, stride;
    uint8_t *cur, *prev, *wrong, *flags;
    uint32_t *tile, *front, *second; /* keys of the tile and of the two foremost sprites of each pixel, 0 = none; of the
                                        third version the place in a piece of 8x8 pixels in the lowest 6 bits */
    uint32_t *keys, *old_tile, *old_front, *old_second; /* all of them; those of the previous picture */
    uint8_t *from; /* of each block, whether it was where it is now, and whether as in the picture before the last: _quiet.c */
    int64_t shift;                   /* from a pixel to the place in the previous picture that the scroll brings here */
    uint32_t look[2];
    int look_changed;
    int first, rendered, mode;
    int64_t t;     /* pictures so far */
    int16_t scores[SOURCES * 8 * 64]; /* of `sources`, so that they need not be looked up in a large table */
    uint32_t last; /* how the last one scrolled */
    uint8_t *bytes;
    const uint8_t *hints;
    Scene scene;
    uint8_t *ring; /* the last pictures, `cur` and `prev` among them; 0 = nothing is looked for there. See _places.c */
    int64_t ring_size;
    uint32_t *places, *back; /* by hash of what is around a pixel: where that was, plus 1; of each pixel how far back */
    uint8_t *run;            /* its like is, 0 = unknown, and of how many pixels in a row that was right */
    int place_bits;
    const uint8_t *asked; /* [frames, blocks] which blocks are coded; the others stay as expected. 0 = all are */
    int32_t *spent;       /* [frames, blocks] 1/16 bits that each took; 0 = nobody asks */
} Pictures;

typedef struct {
    int colour[SOURCES], score[SOURCES], vote[SOURCES];
    uint32_t *source[SOURCES], *cell[SOURCES], *sprite[2];
    uint32_t key[SOURCES];
    uint32_t back[2], place[2]; /* as in Pictures: of the pixels on the left and above; places in the table */
    int run[2];
    int top, top_score, under[2];
    uint64_t mistakes;
} Pixel;

int hst_mixed_bit(Pictures *p, Mix *mix, int fixed, const uint32_t *hash, int slots, int bit);
int hst_pass_block(Pictures *p, int64_t by, int64_t bx, uint8_t *target);
int hst_quiet_block(Pictures *p, int64_t by, int64_t bx, const uint8_t *source, uint8_t *target);
void hst_look_rendered(Pictures *p, Pixel *x, int64_t i);
void hst_learn_rendered(Pixel *x, int colour);
void hst_opinion(Pictures *p, Pixel *x, int s, int colour, int level);
void hst_find_places(Pictures *p, Pixel *x, int64_t i);
void hst_learn_places(Pictures *p, Pixel *x, int64_t i, int colour);
void hst_look_before(Pictures *p, Pixel *x, int64_t i);
void hst_ask_before(Pictures *p, uint8_t *from, int64_t i, int64_t rows, int64_t columns);
void hst_expect(const Pictures *p, int64_t i); /* touch what hst_look_at will need if the picture stays as it was */
void hst_look_at(Pictures *p, Pixel *x, int64_t i);
void hst_learn_pixel(Pictures *p, Pixel *x, int64_t i, int colour, int sources);
void hst_render(Pictures *p, const Scene *scene, int64_t t);
int hst_find_shift(const Pictures *p, const uint8_t *source, int64_t step);

/* Whether a picture that did not move is held against the one before the last, too: fifth version, where such are kept. */
static inline int hst_blinks(const Pictures *p) { return p->version > 4 && p->ring && !p->shift; }

/* A pixel of the picture before the last one. */
static inline const uint8_t *hst_before_last(const Pictures *p, int64_t i) {
    int64_t at = p->prev - p->ring - p->stride * (p->height + 2 * PAD);
    return p->ring + (at < 0 ? at + p->ring_size : at) + i;
}

#endif
