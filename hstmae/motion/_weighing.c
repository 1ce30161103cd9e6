/* From the offers for missing pixels to their colours: rows of numbers, the network that scores them, the drawing.

   Offers lie in `layers`, one for each frame and movement, or for each kind of surroundings, over n pixels: colour,
   uint32 [layers, n], and evidence, uint8 [layers, n, 7], of which the first is 0 where a layer offers nothing. What
   the numbers mean, and in which columns they stand, is said by weighing.py alone. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#define EVIDENCE 7
#define OWN 3                   /* numbers that a layer may have of each pixel */
#define MOST 512                /* layers; weighing.py asks for no more */

/* Places in the list of columns, as in weighing.py. */
enum {
    SEEN_5, ALIKE_5, SEEN_13, ALIKE_13, TEXTURED, ALIKE_TEXTURED, ROWS, ALIKE_ROWS, SHIFT, CENTRE_ALIKE, CENTRE_OTHER,
    EDGE_AWAY, SUPPORT, BEST_SUPPORT, LEAD_13, LEAD_TEXTURED, LEAD_SUPPORT, EARLY, VOTES, LIKE_USUAL,
    ACTIVITY, ACTIVITY_AROUND, KEPT, PASSED, MUCH, ALIKE_AGAIN
};

#define FORM 3                  /* of what the functions are given; weigher.py asks for it */

EXPORT int hst_weighing_form(void) { return FORM; }

/* Which pixels are settled: at least `least` layers offer something, and all of these the same.
   kind: uint8 [layers]; known: uint32 [n], by: uint8 [n], colour and kind of the first offer; settled: uint8 [n]. */
EXPORT void hst_settle(
    const uint32_t *colour, const uint8_t *evidence, const uint8_t *kind, int64_t layers, int64_t n, int64_t least,
    uint32_t *known, uint8_t *by, uint8_t *settled
) {
    for (int64_t i = 0; i < n; i++) {
        int64_t many = 0, one = 1;
        known[i] = by[i] = 0;
        for (int64_t p = 0; p < layers; p++) {
            int64_t at = p * n + i;
            if (!evidence[EVIDENCE * at]) continue;
            if (!many++) { known[i] = colour[at]; by[i] = kind[p]; }
            else one &= known[i] == colour[at];
        }
        settled[i] = one && many >= least;
    }
}

/* Where the rows of each open pixel begin: start, int64 [m + 1]; open: int64 [m]. */
EXPORT void hst_count(
    const uint8_t *evidence, int64_t layers, int64_t n, const int64_t *open, int64_t m, int64_t *start
) {
    start[0] = 0;
    for (int64_t k = 0; k < m; k++) {
        int64_t many = 0;
        for (int64_t p = 0; p < layers; p++) many += evidence[EVIDENCE * (p * n + open[k])] != 0;
        start[k + 1] = start[k] + many;
    }
}

/* A share of few things is drawn towards a half. */
static float share(float part, float whole) { return (part + 0.5f) / (whole + 1); }

/* Whether a kind of offer lays one picture onto another: of other frames before `nearest`, of the same one between `usual`
   and `side`. */
static int laid(int64_t kind, int64_t nearest, int64_t usual, int64_t side) {
    return kind < nearest || (kind > usual && kind < side);
}

/* What the rows of one pixel, sorted by colour, say of each other. */
static void compare(
    float *rows, const uint32_t *key, const uint8_t *kind, int64_t count, int64_t wide, const int32_t *col,
    int64_t nearest, int64_t usual, int64_t side
) {
    float whole = 0, high_13 = 0, high_textured = 0, high_support = 0, votes = 0;
    for (int64_t k = 0, to; k < count; k = to) {
        float support = 0, best = 0, many = 0, early = 0, late = 0;
        for (to = k; to < count && key[to] == key[k]; to++) {
            const float *row = rows + to * wide;
            if (laid(kind[to], nearest, usual, side)) {
                float a13 = row[col[ALIKE_13]], textured = row[col[ALIKE_TEXTURED]], agree = textured * a13;
                support += agree;
                if (agree > best) best = agree;
                if (a13 > high_13) high_13 = a13;
                if (textured > high_textured) high_textured = textured;
            }
            many += kind[to] < usual;
            if (kind[to] == 0 || kind[to] == 3 || kind[to] == nearest) {
                if (row[col[EARLY]] > 0) early = 1; else late = 1;
            }
        }
        for (int64_t r = k; r < to; r++) {
            float *row = rows + r * wide;
            row[col[SUPPORT]] = support; row[col[BEST_SUPPORT]] = best; row[col[VOTES]] = many;
            row[col[KEPT]] = (early + late) / 2;
        }
        whole += support;
        votes += many;
        if (support > high_support) high_support = support;
    }
    if (whole < 1e-6f) whole = 1e-6f;
    if (votes < 1) votes = 1;
    for (int64_t k = 0; k < count; k++) {
        float *row = rows + k * wide;
        int recall = laid(kind[k], nearest, usual, side);
        row[col[LEAD_SUPPORT]] = (row[col[SUPPORT]] - high_support) / whole;
        row[col[SUPPORT]] /= whole;
        row[col[VOTES]] /= votes;
        row[col[LEAD_13]] = (recall ? row[col[ALIKE_13]] : 0) - high_13;
        row[col[LEAD_TEXTURED]] = (recall ? row[col[ALIKE_TEXTURED]] : 0) - high_textured;
    }
}

/* The rows of all open pixels, those of a pixel together and sorted by colour; of one colour as the layers are.

   base: float32 [layers, wide], what all rows of a layer have in common; columns: int32, see above.
   shift: float32 [layers, tiles], the size of each tile's shift, of which pixel i has tile[i], int32 [n].
   band: float32 [., height, 2], rows and alike ones; band_of: int32 [layers], which of them, -1 = none; y: int32 [n].
   own: float32 [., n, OWN], more numbers of each pixel in columns own_col, int32 [layers, OWN], -1 = none; own_of: as
   band_of.
   pace: float32 [., cells, 2], how much time passed in each cell, two numbers; pace_of: as band_of; cell: int32 [n];
   again: float32 [lags, n], how often each pixel looks the same again so much later; lag_of: int32 [layers], which.
   fine: float32 [., n, 3], colours that are not whole; fine_of: as band_of.
   usual: uint32 [n]; pixel: float32 [n, 3], edge away and the two activities; logs: float32 [256].
   nearest, usual_kind, side: see `laid`; from usual_kind on they are not of other frames.
   Out: rgb float32 [rows, 3], key uint32 [rows], kinds uint8 [rows], numbers float32 [rows, wide]. */
EXPORT void hst_fill(
    const uint32_t *colour, const uint8_t *evidence, const uint8_t *kind, int64_t layers, int64_t n, const int64_t *open,
    int64_t m, const int64_t *start, const float *base, int64_t wide, const int32_t *col, const float *shift,
    const int32_t *tile, int64_t tiles, const float *band, const int32_t *band_of, const int32_t *y, int64_t height,
    const float *own, const int32_t *own_of, const int32_t *own_col, const float *pace, const int32_t *pace_of,
    const int32_t *cell, int64_t cells, const float *again, const int32_t *lag_of, const float *fine, const int32_t *fine_of,
    const uint32_t *usual, const float *pixel, const float *logs, int64_t nearest, int64_t usual_kind, int64_t side, float *rgb, uint32_t *key, uint8_t *kinds,
    float *numbers
) {
    for (int64_t k = 0; k < m; k++) {
        int64_t i = open[k], first = start[k], count = 0;
        int32_t layer[MOST];
        uint32_t *mine = key + first;
        for (int64_t p = 0; p < layers; p++) {
            if (!evidence[EVIDENCE * (p * n + i)]) continue;
            uint32_t c = colour[p * n + i];
            int64_t to = count++;
            for (; to > 0 && mine[to - 1] > c; to--) { mine[to] = mine[to - 1]; layer[to] = layer[to - 1]; }
            mine[to] = c; layer[to] = (int32_t)p;
        }
        for (int64_t r = 0; r < count; r++) {
            int64_t p = layer[r];
            const uint8_t *e = evidence + EVIDENCE * (p * n + i);
            float *row = numbers + (first + r) * wide, *to = rgb + 3 * (first + r);
            memcpy(row, base + p * wide, sizeof(float) * wide);
            kinds[first + r] = kind[p];
            if (laid(kind[p], nearest, usual_kind, side)) {
                row[col[SEEN_5]] = e[1] / 25.0f; row[col[ALIKE_5]] = share(e[2], e[1]);
                row[col[SEEN_13]] = e[3] / 169.0f; row[col[ALIKE_13]] = share(e[4], e[3]);
                row[col[TEXTURED]] = logs[e[5]]; row[col[ALIKE_TEXTURED]] = share(e[6], e[5]);
                row[col[SHIFT]] = shift[p * tiles + tile[i]];
                row[col[CENTRE_ALIKE]] = e[0] == 3; row[col[CENTRE_OTHER]] = e[0] == 5;
            }
            if (band_of[p] >= 0) {
                const float *b = band + 2 * (band_of[p] * height + y[i]);
                row[col[ROWS]] = b[0]; row[col[ALIKE_ROWS]] = b[1];
            }
            if (own_of[p] >= 0)
                for (int c = 0; c < OWN && own_col[OWN * p + c] >= 0; c++)
                    row[own_col[OWN * p + c]] = own[OWN * (own_of[p] * n + i) + c];
            if (pace_of[p] >= 0) {
                const float *own_pace = pace + 2 * (pace_of[p] * cells + cell[i]);
                row[col[PASSED]] = own_pace[0]; row[col[MUCH]] = own_pace[1];
                row[col[ALIKE_AGAIN]] = again[lag_of[p] * n + i];
            }
            row[col[EDGE_AWAY]] = pixel[3 * i];
            row[col[ACTIVITY]] = pixel[3 * i + 1]; row[col[ACTIVITY_AROUND]] = pixel[3 * i + 2];
            row[col[LIKE_USUAL]] = mine[r] == usual[i];
            for (int c = 0; c < 3; c++)
                to[c] = fine_of[p] < 0 ? (float)(mine[r] >> (16 - 8 * c) & 255) : fine[3 * (fine_of[p] * n + i) + c];
        }
        compare(numbers + first * wide, mine, kinds + first, count, wide, col, nearest, usual_kind, side);
    }
}

/* Shares within each pixel: the softmax of its rows' scores. */
EXPORT void hst_softmax(const float *score, const int64_t *start, int64_t m, float *out) {
    for (int64_t k = 0; k < m; k++) {
        float high = score[start[k]], sum = 0;
        for (int64_t r = start[k]; r < start[k + 1]; r++) if (score[r] > high) high = score[r];
        for (int64_t r = start[k]; r < start[k + 1]; r++) sum += out[r] = expf(score[r] - high);
        for (int64_t r = start[k]; r < start[k + 1]; r++) out[r] /= sum;
    }
}

static uint8_t whole(float v) {
    v = rintf(v);
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* The colour of each open pixel: the mean by shares, or the likeliest one where `exact` or its share is at least `snap`.
   Out: made uint8 [m, 3]; sure float32 [m] and likely uint8 [m, 3], the likeliest colour; shown uint8 [m], whether kinds before
   `surroundings` have at least `shown_from` of the shares; top uint8 [m], the kind of the row with the largest. */
EXPORT void hst_draw(
    const float *shares, const int64_t *start, int64_t m, const float *rgb, const uint32_t *key, const uint8_t *kind,
    int64_t exact, float snap, int64_t surroundings, float shown_from, uint8_t *made, float *sure,
    uint8_t *likely, uint8_t *shown, uint8_t *top
) {
    for (int64_t k = 0; k < m; k++) {
        float mean[3] = {0, 0, 0}, others = 0, best = -1, highest = -1;
        int64_t likeliest = start[k];
        for (int64_t r = start[k], to; r < start[k + 1]; r = to) {
            float together = 0;
            for (to = r; to < start[k + 1] && key[to] == key[r]; to++) {
                for (int c = 0; c < 3; c++) mean[c] += shares[to] * rgb[3 * to + c];
                together += shares[to];
                if (kind[to] < surroundings) others += shares[to];
                if (shares[to] >= highest) { highest = shares[to]; top[k] = kind[to]; }
            }
            if (together >= best) { best = together; likeliest = r; }
        }
        const float *taken = exact || best >= snap ? rgb + 3 * likeliest : mean;
        for (int c = 0; c < 3; c++) {
            made[3 * k + c] = whole(taken[c]);
            likely[3 * k + c] = whole(rgb[3 * likeliest + c]);
        }
        sure[k] = best < 1 ? best : 1;
        shown[k] = others >= shown_from;
    }
}
