/* The network that scores offers, and the smooth surface through what is seen: the arithmetic of motion recall. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#define LANES 16                /* outputs side by side; weighing.py fills layers up with zeros to a multiple */
#define BLOCK 64                /* rows that go through all layers together */
#define WIDEST 256

typedef float vec __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t bits __attribute__((vector_size(32), aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline))

/* out[r, o] = bias[o] + sum over i of x[r, i] w[i, o]; none below 0 if `bent`. w: [in, wide] with bias [wide] after it. */
INLINE void layer(
    const float *x, int64_t step, int64_t rows, const float *w, int64_t in, int64_t wide, int bent, float *out
) {
    const float *bias = w + in * wide;
    for (int64_t r = 0; r < rows; r += 4) {
        const float *a[4];
        for (int64_t k = 0; k < 4; k++) a[k] = x + (r + k < rows ? r + k : rows - 1) * step;
        for (int64_t o = 0; o < wide; o += LANES) {
            vec s[4][2];
            for (int k = 0; k < 4; k++) { s[k][0] = *(const vec *)(bias + o); s[k][1] = *(const vec *)(bias + o + 8); }
            for (int64_t i = 0; i < in; i++) {
                vec one = *(const vec *)(w + i * wide + o), two = *(const vec *)(w + i * wide + o + 8);
                for (int k = 0; k < 4; k++) { s[k][0] += one * a[k][i]; s[k][1] += two * a[k][i]; }
            }
            for (int k = 0; k < 4 && r + k < rows; k++)
                for (int half = 0; half < 2; half++) {
                    vec one = s[k][half];
                    if (bent) one = (vec)((bits)one & (one > 0));
                    *(vec *)(out + (r + k) * wide + o + 8 * half) = one;
                }
        }
    }
}

INLINE void network(
    const float *x, int64_t rows, const float *weights, const int64_t *widths, int64_t layers, float *out
) {
    float own[2][BLOCK * WIDEST];
    for (int64_t from = 0; from < rows; from += BLOCK) {
        int64_t count = rows - from < BLOCK ? rows - from : BLOCK, step = widths[0];
        const float *in = x + from * step, *w = weights;
        for (int64_t k = 0; k < layers; k++) {
            int64_t wide = (widths[k + 1] + LANES - 1) / LANES * LANES;
            layer(in, step, count, w, widths[k], wide, k + 1 < layers, own[k & 1]);
            w += (widths[k] + 1) * wide;
            in = own[k & 1];
            step = wide;
        }
        for (int64_t r = 0; r < count; r++) out[from + r] = in[r * step];
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void network_avx2(
    const float *x, int64_t rows, const float *weights, const int64_t *widths, int64_t layers, float *out
) { network(x, rows, weights, widths, layers, out); }
#endif

/* The first output of a network for each row, float32 [rows, widths[0]]; widths: int64 [layers + 1], none above WIDEST;
   weights: of all layers, one after the other, see `layer`. */
EXPORT void hst_scores(
    const float *x, int64_t rows, const float *weights, const int64_t *widths, int64_t layers, float *out
) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        network_avx2(x, rows, weights, widths, layers, out);
        return;
    }
#endif
    network(x, rows, weights, widths, layers, out);
}

/* Between two pixels of the smaller picture: a quarter of the way to the neighbour before or after. */
static void between(int64_t at, int64_t n, int64_t *one, int64_t *two) {
    *one = at / 2;
    *two = at & 1 ? (*one + 1 < n ? *one + 1 : n - 1) : (*one > 0 ? *one - 1 : 0);
}

/* Missing pixels drawn smoothly from those around, coarse to fine: float32 [h, w, 3].
   rgb: uint8 [h, w, 3]; seen: uint8 [h, w]. Returns -1 when memory ran out. */
EXPORT int hst_smooth(const uint8_t *rgb, const uint8_t *seen, int64_t h, int64_t w, float *out) {
    int64_t hs[40], ws[40], total = 0, deep = 0, full;
    for (hs[0] = h, ws[0] = w;; deep++) {
        total += hs[deep] * ws[deep];
        if (hs[deep] < 2 || ws[deep] < 2) break;
        hs[deep + 1] = (hs[deep] + 1) / 2; ws[deep + 1] = (ws[deep] + 1) / 2;
    }
    /* Red, green, blue, each times the weight, and the weight. */
    float *all = malloc(sizeof(float) * 4 * total), *a = all;
    if (!all) return -1;
    full = 1;
    for (int64_t i = 0; i < h * w; i++) {
        full &= seen[i];
        for (int c = 0; c < 3; c++) a[4 * i + c] = seen[i] ? rgb[3 * i + c] : 0;
        a[4 * i + 3] = seen[i];
    }
    int64_t level = 0;
    for (; level < deep && !full; level++) {
        float *b = a + 4 * hs[level] * ws[level];
        full = 1;
        for (int64_t y = 0; y < hs[level + 1]; y++)
            for (int64_t x = 0; x < ws[level + 1]; x++) {
                float sum[4] = {0, 0, 0, 0}, *to = b + 4 * (y * ws[level + 1] + x);
                for (int64_t yy = 2 * y; yy < 2 * y + 2 && yy < hs[level]; yy++)
                    for (int64_t xx = 2 * x; xx < 2 * x + 2 && xx < ws[level]; xx++)
                        for (int c = 0; c < 4; c++) sum[c] += a[4 * (yy * ws[level] + xx) + c];
                float weight = sum[3] > 1 ? 1 : sum[3];
                for (int c = 0; c < 3; c++) to[c] = sum[3] > 0 ? sum[c] / sum[3] * weight : 0;
                to[3] = weight;
                full &= weight >= 1;
            }
        a = b;
    }
    double mean[4] = {0, 0, 0, 0};
    int64_t n = hs[level] * ws[level];
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < 4; c++) mean[c] += a[4 * i + c];
    for (int c = 0; c < 3; c++) mean[c] = mean[3] > 0 ? mean[c] / mean[3] : 128;
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < 3; c++) a[4 * i + c] = a[4 * i + 3] > 0 ? a[4 * i + c] / a[4 * i + 3] : (float)mean[c];
    while (level > 0) {
        const float *b = a;
        level--;
        a -= 4 * hs[level] * ws[level];
        for (int64_t y = 0; y < hs[level]; y++) {
            int64_t y1, y2;
            between(y, hs[level + 1], &y1, &y2);
            for (int64_t x = 0; x < ws[level]; x++) {
                float *to = a + 4 * (y * ws[level] + x), rest = 1 - to[3];
                if (rest <= 0) continue;
                int64_t x1, x2, wide = ws[level + 1];
                between(x, wide, &x1, &x2);
                const float *p = b + 4 * (y1 * wide + x1), *q = b + 4 * (y2 * wide + x1);
                const float *r = b + 4 * (y1 * wide + x2), *s = b + 4 * (y2 * wide + x2);
                for (int c = 0; c < 3; c++)
                    to[c] += rest * (0.75f * (0.75f * p[c] + 0.25f * q[c]) + 0.25f * (0.75f * r[c] + 0.25f * s[c]));
            }
        }
    }
    for (int64_t i = 0; i < h * w; i++)
        for (int c = 0; c < 3; c++) out[3 * i + c] = all[4 * i + c];
    free(all);
    return 0;
}
