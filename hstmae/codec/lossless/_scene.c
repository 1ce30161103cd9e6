/* Picture coder: what the state says is drawn, and how the picture scrolled. Twin: reference/pictures.py. */
#include <string.h>

#include "_picture.h"

/* ---- keys of what the state says is drawn ---- */

void hst_render(Pictures *p, const Scene *scene, int64_t t) {
    int64_t s = p->stride;
    const int16_t *tiles = scene->tiles + t * scene->cells;
    memset(p->tile, 0, (size_t)(s * (p->height + 2 * PAD)) * 4);
    memset(p->front, 0, (size_t)(s * (p->height + 2 * PAD)) * 4);
    memset(p->second, 0, (size_t)(s * (p->height + 2 * PAD)) * 4);
    for (int64_t layer = 0; layer < scene->layers; layer++) {
        int64_t rows = scene->layout[layer * 3], columns = scene->layout[layer * 3 + 1], cell = scene->layout[layer * 3 + 2];
        uint32_t pieces = (uint32_t)(cell + 7) / 8; /* of a side of a cell: the third version names them */
        const int16_t *corner = scene->corners + (t * scene->layers + layer) * 2;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++) {
                uint32_t id = (uint16_t)tiles[r * columns + c], layers = (uint32_t)scene->layers;
                int64_t left = corner[0] + c * cell, u0 = left < 0 ? -left : 0;
                int64_t u1 = left + cell > p->width ? p->width - left : cell;
                for (int64_t v = 0; v < cell; v++) {
                    int64_t y = corner[1] + r * cell + v;
                    if (y < 0 || y >= p->height) continue;
                    uint32_t *key = p->tile + (y + PAD) * s + PAD;
                    if (p->version > 2) {
                        uint32_t piece = id * pieces * pieces + (uint32_t)(v / 8) * pieces, row = (uint32_t)(v % 8) * 8;
                        for (int64_t u = u0; u < u1; u++)
                            key[left + u] = ((piece + (uint32_t)(u / 8)) * layers + (uint32_t)layer + 1) << 6 | row |
                                            (uint32_t)(u % 8);
                        continue;
                    }
                    uint32_t texel = (uint32_t)((int64_t)id * cell * cell + v * cell);
                    for (int64_t u = u0; u < u1; u++) key[left + u] = (texel + (uint32_t)u) * layers + (uint32_t)layer + 1;
                }
            }
        tiles += rows * columns;
    }
    uint32_t pieces = (uint32_t)(scene->size + 7) / 8;
    for (int64_t n = scene->sprites - 1; n >= 0; n--) {
        const int16_t *q = scene->list + (t * scene->sprites + n) * 4;
        uint32_t base = (uint32_t)(uint16_t)q[2] * 64 + (uint32_t)(q[3] & 63);
        for (int64_t v = 0; v < scene->size; v++)
            for (int64_t u = 0; u < scene->size; u++) {
                int64_t y = q[1] + v, x = q[0] + u;
                if (y < 0 || y >= p->height || x < 0 || x >= p->width) continue;
                int64_t tv = q[3] & 128 ? scene->size - 1 - v : v, tu = q[3] & 64 ? scene->size - 1 - u : u;
                int64_t i = (y + PAD) * s + x + PAD;
                p->second[i] = p->front[i];
                uint32_t piece = base * pieces * pieces + (uint32_t)(tv / 8) * pieces + (uint32_t)(tu / 8);
                uint32_t texel = (uint32_t)((int64_t)base * scene->size * scene->size + tv * scene->size + tu);
                if (p->version > 2) texel = piece << 6 | (uint32_t)(tv % 8 * 8 + tu % 8);
                p->front[i] = 0x80000000u | texel;
            }
    }
}

static int64_t alike(const Pictures *p, const uint8_t *source, int64_t shift, int64_t step) {
    int64_t all = 0;
    for (int64_t y = 0; y < p->height; y += step) {
        const uint8_t *new = source + y * p->width, *old = p->prev + (y + PAD) * p->stride + PAD + shift;
        int32_t same = 0;
        for (int64_t x = 0; x < p->width; x++) same += new[x] == old[x];
        all += same;
    }
    return all;
}

/* The shift of the previous picture that explains most of what changed, as (dy + 8) * 17 + dx + 8; axes only, and every
 * `step`-th line.
 */
int hst_find_shift(const Pictures *p, const uint8_t *source, int64_t step) {
    int best = 8 * 17 + 8;
    int64_t most = alike(p, source, 0, step);
    if (most == (p->height + step - 1) / step * p->width) return best;
    for (int k = -16; k <= 16; k++) {
        int dy = k >= -8 && k <= 8 ? 0 : k < 0 ? k + 8 : k - 8, dx = k >= -8 && k <= 8 ? k : 0;
        int64_t found = alike(p, source, dy * p->stride + dx, step);
        if (found > most) most = found, best = (dy + 8) * 17 + dx + 8;
    }
    return best;
}
