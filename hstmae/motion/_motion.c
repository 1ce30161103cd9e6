/* The hot loops of motion recall: which way parts of a picture moved, and how well two pictures agree around a pixel.

   Pictures are uint32 colours 0x00RRGGBB, row by row; `seen` is 1 where a pixel is not missing. Nothing here allocates
   more than it frees, and every function returns a negative number only when memory ran out. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#define BITS 14                 /* of the table of descriptors */
#define COMMON 24               /* a descriptor that stands in more places than this says nothing about motion */
#define NOWHERE INT16_MIN       /* a shift that is not to be tried */
#define REACH 6                 /* the larger neighbourhood of a pixel: 13 x 13 */
#define NEAR 2                  /* the smaller one: 5 x 5 */

static uint32_t mix(uint32_t h) {
    h ^= h >> 16; h *= 0x7feb352du; h ^= h >> 15; h *= 0x846ca68bu; h ^= h >> 16;
    return h;
}

/* A hash of each pixel with its left and upper neighbour; 0 where these three are alike or not all seen. */
EXPORT void hst_descriptors(const uint32_t *label, const uint8_t *seen, int64_t h, int64_t w, uint32_t *out) {
    memset(out, 0, sizeof(uint32_t) * h * w);
    for (int64_t y = 1; y < h; y++)
        for (int64_t x = 1; x < w; x++) {
            int64_t i = y * w + x;
            uint32_t a = label[i], l = label[i - 1], u = label[i - w];
            if ((a == l && a == u) || !(seen[i] & seen[i - 1] & seen[i - w])) continue;
            uint32_t d = mix(a + 0x9e3779b9u * mix(l + 0x85ebca6bu * mix(u + 1)));
            out[i] = d ? d : 1;
        }
}

/* Places of descriptors by the low bits of their value: start [2^BITS + 2], place [n], of which as many are written as
   there are descriptors. */
EXPORT void hst_index(const uint32_t *d, int64_t n, int32_t *start, int32_t *place) {
    memset(start, 0, sizeof(int32_t) * ((1 << BITS) + 2));
    for (int64_t i = 0; i < n; i++)
        if (d[i]) start[(d[i] & ((1 << BITS) - 1)) + 2]++;
    for (int i = 2; i < (1 << BITS) + 2; i++) start[i] += start[i - 1];
    for (int64_t i = 0; i < n; i++)
        if (d[i]) place[start[(d[i] & ((1 << BITS) - 1)) + 1]++] = (int32_t)i;
}

/* Votes of the descriptors of picture a for shifts (dy, dx), a[y, x] = b[y + dy, x + dx], within `ry`, `rx` of (cy, cx);
   start, place: the index of b.

   whole: int32 [2 ry + 1, 2 rx + 1], over the picture.
   part: int32 [rows of tiles, columns of tiles, 2 ly + 1, 2 lx + 1] around shift (0, 0), or NULL; there only pixels vote
   whose descriptor b does not hold at any of the `known` shifts, int16 [count, 2]. */
EXPORT void hst_votes(
    const uint32_t *a, const uint32_t *b, const int32_t *start, const int32_t *place, int64_t h, int64_t w, int64_t cy, int64_t cx, int64_t ry, int64_t rx,
    int32_t *whole, int32_t *part, int64_t tile, int64_t ly, int64_t lx, const int16_t *known, int64_t count
) {
    int64_t columns = (w + tile - 1) / tile, wide = 2 * rx + 1, bins = (2 * ly + 1) * (2 * lx + 1);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            uint32_t d = a[y * w + x];
            if (!d) continue;
            int32_t from = start[d & ((1 << BITS) - 1)], to = start[(d & ((1 << BITS) - 1)) + 1];
            int same = 0;
            for (int32_t k = from; k < to && same <= COMMON; k++) same += b[place[k]] == d;
            if (!same || same > COMMON) continue;
            int32_t weight = 48 / same;
            if (whole)
                for (int32_t k = from; k < to; k++) {
                    if (b[place[k]] != d) continue;
                    int64_t dy = place[k] / w - y - cy, dx = place[k] % w - x - cx;
                    if (dy < -ry || dy > ry || dx < -rx || dx > rx) continue;
                    whole[(dy + ry) * wide + dx + rx] += weight;
                }
            if (!part) continue;
            int explained = 0;
            for (int64_t k = 0; k < count && !explained; k++) {
                int64_t sy = y + known[2 * k], sx = x + known[2 * k + 1];
                explained = sy >= 0 && sy < h && sx >= 0 && sx < w && b[sy * w + sx] == d;
            }
            if (explained) continue;
            int32_t *own = part + ((y / tile) * columns + x / tile) * bins;
            for (int32_t k = from; k < to; k++) {
                if (b[place[k]] != d) continue;
                int64_t dy = place[k] / w - y, dx = place[k] % w - x;
                if (dy < -ly || dy > ly || dx < -lx || dx > lx) continue;
                own[(dy + ly) * (2 * lx + 1) + dx + lx] += weight;
            }
        }
}

/* The `best` shifts of each tile by the votes of its 3 x 3 neighbours, at least `least` of them: int16 [tiles, best, 2],
   NOWHERE where there are not so many. A shift beside a better one is not taken. */
EXPORT void hst_best(
    const int32_t *part, int64_t rows, int64_t columns, int64_t ly, int64_t lx, int64_t best, int64_t least, int16_t *out
) {
    int64_t wide = 2 * lx + 1, bins = (2 * ly + 1) * wide;
    int32_t *sum = malloc(sizeof(int32_t) * bins);
    if (!sum) return;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            int16_t *own = out + (r * columns + c) * best * 2;
            memset(sum, 0, sizeof(int32_t) * bins);
            for (int64_t rr = r > 0 ? r - 1 : 0; rr <= r + 1 && rr < rows; rr++)
                for (int64_t cc = c > 0 ? c - 1 : 0; cc <= c + 1 && cc < columns; cc++) {
                    const int32_t *p = part + (rr * columns + cc) * bins;
                    for (int64_t k = 0; k < bins; k++) sum[k] += p[k];
                }
            for (int64_t n = 0; n < best; n++) {
                int64_t top = 0;
                for (int64_t k = 1; k < bins; k++) if (sum[k] > sum[top]) top = k;
                if (sum[top] < least) { own[2 * n] = own[2 * n + 1] = NOWHERE; continue; }
                int64_t ty = top / wide, tx = top % wide;
                own[2 * n] = (int16_t)(ty - ly); own[2 * n + 1] = (int16_t)(tx - lx);
                for (int64_t y = ty - 1; y <= ty + 1; y++)
                    for (int64_t x = tx - 1; x <= tx + 1; x++)
                        if (y >= 0 && y <= 2 * ly && x >= 0 && x < wide) sum[y * wide + x] = 0;
            }
        }
    free(sum);
}

static int alike(uint32_t a, uint32_t b, int tolerance) {
    if (a == b) return 1;
    if (!tolerance) return 0;
    for (int k = 0; k < 24; k += 8) {
        int d = (int)((a >> k) & 255) - (int)((b >> k) & 255);
        if (d > tolerance || d < -tolerance) return 0;
    }
    return 1;
}

/* How well picture a at shift `sa` and picture b at shift `sb` agree around each point, and what a shows there.

   points: int32 [n], y * w + x, those of a tile together; start: int32 [tiles + 1] into them.
   sa, sb: int16 [tiles, 2], (dy, dx) of each tile; NOWHERE in either: the tile is left out.
   textured: uint8 [h, w] of picture b, 1 where it is not flat.
   colour: uint32 [n]; out: uint8 [n, 7]: whether a shows the point (1) and that colour is alike in b (2, both bits 3);
   seen pixels of the 5 x 5, alike ones; the same of the 13 x 13; the same of its textured ones. */
EXPORT int hst_evidence(
    const uint32_t *a, const uint8_t *seen_a, const int16_t *sa, const uint32_t *b, const uint8_t *seen_b,
    const int16_t *sb, const uint8_t *textured, int64_t h, int64_t w, int64_t tile, const int32_t *points,
    const int32_t *start, int64_t tolerance, uint32_t *colour, uint8_t *out
) {
    int64_t columns = (w + tile - 1) / tile, rows = (h + tile - 1) / tile, side = tile + 2 * REACH + 1;
    /* Sums over all above and left of it: four of 16 bits side by side. */
    uint64_t *sum = malloc(sizeof(uint64_t) * side * side);
    if (!sum) return -1;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            int64_t own = r * columns + c;
            if (start[own] == start[own + 1] || sa[2 * own] == NOWHERE || sb[2 * own] == NOWHERE) continue;
            int64_t ay = sa[2 * own], ax = sa[2 * own + 1], by = sb[2 * own], bx = sb[2 * own + 1];
            int64_t top = r * tile - REACH, left = c * tile - REACH;
            memset(sum, 0, sizeof(uint64_t) * side);
            /* Columns in which both pictures have pixels. */
            int64_t lo = left, hi = left + side - 1;
            if (lo + ax < 0) lo = -ax;
            if (lo + bx < 0) lo = -bx;
            if (lo < 0) lo = 0;
            if (hi > w) hi = w;
            if (hi + ax > w) hi = w - ax;
            if (hi + bx > w) hi = w - bx;
            for (int64_t i = 1; i < side; i++) {
                int64_t y = top + i - 1;
                uint64_t *row = sum + i * side, *above = row - side, run = 0;
                row[0] = 0;
                int inside = y >= 0 && y < h && y + ay >= 0 && y + ay < h && y + by >= 0 && y + by < h;
                const uint32_t *pa = a + (y + ay) * w + ax, *pb = b + (y + by) * w + bx;
                const uint8_t *qa = seen_a + (y + ay) * w + ax, *qb = seen_b + (y + by) * w + bx;
                const uint8_t *pt = textured + (y + by) * w + bx;
                for (int64_t j = 1; j < side; j++) {
                    int64_t x = left + j - 1;
                    if (inside && x >= lo && x < hi && (qa[x] & qb[x])) {
                        uint64_t same = alike(pa[x], pb[x], (int)tolerance), edge = pt[x];
                        run += 1 | same << 16 | edge << 32 | (edge & same) << 48;
                    }
                    row[j] = above[j] + run;
                }
            }
            for (int32_t k = start[own]; k < start[own + 1]; k++) {
                int64_t y = points[k] / w, x = points[k] % w;
                uint8_t *o = out + 7 * k;
                if (y + ay < 0 || y + ay >= h || x + ax < 0 || x + ax >= w) continue;
                int64_t at = (y + ay) * w + x + ax;
                if (!seen_a[at]) continue;
                colour[k] = a[at];
                o[0] = 1;
                if (y + by >= 0 && y + by < h && x + bx >= 0 && x + bx < w) {
                    int64_t bt = (y + by) * w + x + bx;
                    if (seen_b[bt]) o[0] = alike(a[at], b[bt], (int)tolerance) ? 3 : 5;
                }
                for (int n = 0; n < 2; n++) {
                    int64_t reach = n ? REACH : NEAR, i = y - top, j = x - left;
                    uint64_t box = sum[(i + reach + 1) * side + j + reach + 1] - sum[(i - reach) * side + j + reach + 1]
                        - sum[(i + reach + 1) * side + j - reach] + sum[(i - reach) * side + j - reach];
                    o[1 + 2 * n] = (uint8_t)(box & 0xffff);
                    o[2 + 2 * n] = (uint8_t)(box >> 16 & 0xffff);
                    if (n) { o[5] = (uint8_t)(box >> 32 & 0xffff); o[6] = (uint8_t)(box >> 48); }
                }
            }
        }
    free(sum);
    return 0;
}

/* The same around points that lie deep in what is missing, at one shift (dy, dx) of picture a onto b: in the square of
   2 radius + 1 pixels around each point.

   points: int32 [n]; radius: int16 [n]; out: int32 [n, 4], pixels that both show, alike ones, and the same of textured
   ones. */
EXPORT int hst_wide(
    const uint32_t *a, const uint8_t *seen_a, int64_t dy, int64_t dx, const uint32_t *b, const uint8_t *seen_b,
    const uint8_t *textured, int64_t h, int64_t w, int64_t tolerance, const int32_t *points, const int16_t *radius,
    int64_t n, int32_t *out
) {
    int64_t lo = dx < 0 ? -dx : 0, hi = dx > 0 ? w - dx : w;
    int64_t y0 = h, y1 = 0, x0 = w, x1 = 0; /* what the squares cover */
    for (int64_t i = 0; i < n; i++) {
        int64_t y = points[i] / w, x = points[i] % w, r = radius[i];
        if (y - r < y0) y0 = y - r > 0 ? y - r : 0;
        if (x - r < x0) x0 = x - r > 0 ? x - r : 0;
        if (y + r + 1 > y1) y1 = y + r + 1 < h ? y + r + 1 : h;
        if (x + r + 1 > x1) x1 = x + r + 1 < w ? x + r + 1 : w;
    }
    if (n == 0) return 0;
    int64_t wide = 4 * (x1 - x0 + 1);
    int32_t *sum = malloc(sizeof(int32_t) * wide * (y1 - y0 + 1)); /* over all above and left of it, four numbers each */
    if (!sum) return -1;
    memset(sum, 0, sizeof(int32_t) * wide);
    for (int64_t y = y0; y < y1; y++) {
        int32_t *row = sum + (y - y0 + 1) * wide, *above = row - wide, run[4] = {0, 0, 0, 0};
        int inside = y + dy >= 0 && y + dy < h;
        const uint32_t *pa = a + (y + dy) * w + dx, *pb = b + y * w;
        const uint8_t *qa = seen_a + (y + dy) * w + dx, *qb = seen_b + y * w, *pt = textured + y * w;
        for (int k = 0; k < 4; k++) row[k] = 0;
        for (int64_t x = x0; x < x1; x++) {
            int64_t at = 4 * (x - x0 + 1);
            if (inside && x >= lo && x < hi && (qa[x] & qb[x])) {
                int same = alike(pa[x], pb[x], (int)tolerance), edge = pt[x];
                run[0]++; run[1] += same; run[2] += edge; run[3] += edge & same;
            }
            for (int k = 0; k < 4; k++) row[at + k] = above[at + k] + run[k];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t y = points[i] / w, x = points[i] % w, r = radius[i];
        int64_t top = (y - r > 0 ? y - r : 0) - y0, left = (x - r > 0 ? x - r : 0) - x0;
        int64_t end = (y + r + 1 < h ? y + r + 1 : h) - y0, right = (x + r + 1 < w ? x + r + 1 : w) - x0;
        const int32_t *t = sum + top * wide, *e = sum + end * wide;
        for (int k = 0; k < 4; k++)
            out[4 * i + k] = e[4 * right + k] - e[4 * left + k] - t[4 * right + k] + t[4 * left + k];
    }
    free(sum);
    return 0;
}

/* The same for whole rows: out int32 [h, 2], textured pixels that both show and alike ones, of one shift each. */
EXPORT void hst_rows(
    const uint32_t *a, const uint8_t *seen_a, int64_t ay, int64_t ax, const uint32_t *b, const uint8_t *seen_b,
    int64_t by, int64_t bx, const uint8_t *textured, int64_t h, int64_t w, int64_t tolerance, int32_t *out
) {
    int64_t lo = 0, hi = w;
    if (lo + ax < 0) lo = -ax;
    if (lo + bx < 0) lo = -bx;
    if (hi + ax > w) hi = w - ax;
    if (hi + bx > w) hi = w - bx;
    for (int64_t y = 0; y < h; y++) {
        int32_t n = 0, s = 0;
        if (y + ay >= 0 && y + ay < h && y + by >= 0 && y + by < h) {
            const uint32_t *pa = a + (y + ay) * w + ax, *pb = b + (y + by) * w + bx;
            const uint8_t *qa = seen_a + (y + ay) * w + ax, *qb = seen_b + (y + by) * w + bx;
            const uint8_t *pt = textured + (y + by) * w + bx;
            for (int64_t x = lo; x < hi; x++)
                if (qa[x] & qb[x] & pt[x]) { n++; s += alike(pa[x], pb[x], (int)tolerance); }
        }
        out[2 * y] = n; out[2 * y + 1] = s;
    }
}

/* The nearest seen pixel of each row and column: distance int16 [4, h, w] (left, right, up, down; 0 = there is none). */
EXPORT void hst_nearest(const uint8_t *seen, int64_t h, int64_t w, int16_t *out) {
    int64_t n = h * w;
    for (int64_t i = 0; i < n; i++) {
        out[i] = i % w && (seen[i - 1] || out[i - 1]) ? (int16_t)(seen[i - 1] ? 1 : out[i - 1] + 1) : 0;
        out[2 * n + i] = i >= w && (seen[i - w] || out[2 * n + i - w]) ? (int16_t)(seen[i - w] ? 1 : out[2 * n + i - w] + 1) : 0;
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        out[n + i] = i % w < w - 1 && (seen[i + 1] || out[n + i + 1]) ? (int16_t)(seen[i + 1] ? 1 : out[n + i + 1] + 1) : 0;
        out[3 * n + i] = i + w < n && (seen[i + w] || out[3 * n + i + w]) ? (int16_t)(seen[i + w] ? 1 : out[3 * n + i + w] + 1) : 0;
    }
}
