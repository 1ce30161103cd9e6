/* The palette head's network for one pixel after the other, in registers:
 *
 *   hidden  = scale * (sum of the pixel's rows of `table`) + bias + drawn * inward
 *   logits  = gelu(hidden) * outward + out_bias
 *   entry   = the name of the largest logit; colour, confidence = mean and largest value of softmax(logits)
 *
 * Plain C with GCC's vectors of eight floats, which every instruction set can carry out; where the loader can choose
 * (glibc on x86-64), a version for newer processors lies beside the general one. Pixels do not depend on each other,
 * so nothing depends on how they are shared out among threads. head.py has the same arithmetic in torch.
 */
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define VERSIONS __attribute__((target_clones("arch=x86-64-v3", "default")))
#pragma GCC diagnostic ignored "-Wpsabi" /* vectors never cross a call: everything is inlined */
#else
#define VERSIONS
#endif
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 8, PIXELS = 4, WIDEST = 256, DEEPEST = 16 };

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef int32_t Bits __attribute__((vector_size(4 * LANES)));

INLINE Vector load(const float *from) {
    Vector v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void store(float *to, Vector v) { memcpy(to, &v, sizeof v); }

INLINE Vector all(float x) { return x - (Vector){0}; }

INLINE Vector choose(Bits mask, Vector yes, Vector no) { return (Vector)((mask & (Bits)yes) | (~mask & (Bits)no)); }

INLINE float sum_of(Vector v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/* x / 2 * (1 + erf(x / sqrt 2)), to 3e-6: erf as a quotient of polynomials fitted for |x| <= 5.5, flat beyond. */
INLINE Vector gelu(Vector x) {
    const Vector end = all(5.5f);
    Vector z = choose(x > end, end, x);
    z = choose(z < -end, -end, z);
    const Vector t = z * z;
    Vector p = t * -3.3695197743099925e-08f + 1.1843345419038087e-05f;
    p = p * t + 0.0009385641315020621f;
    p = p * t + 0.013031248934566975f;
    p = p * t + 0.13198043406009674f;
    p = p * t + 0.7978860139846802f;
    Vector q = t * 0.00015602076018694788f + 0.00362213421612978f;
    q = q * t + 0.04668456315994263f;
    q = q * t + 0.33208176493644714f;
    q = q * t + 1.0f;
    const Vector half = x * 0.5f;
    return half + half * (z * p / q);
}

/* e^x for x <= 0, to 3e-7 of its size; e^-80 below. 2^n times a series of e^r with |r| <= ln 2 / 2. */
INLINE Vector exponential(Vector x) {
    const Vector least = all(-80.0f), magic = all(12582912.0f); /* 1.5 * 2^23: adding it rounds to whole numbers */
    x = choose(x < least, least, x);
    const Vector shifted = x * 1.44269504f + magic, n = shifted - magic;
    const Vector r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    Vector s = r * (1.0f / 720) + 1.0f / 120;
    s = s * r + 1.0f / 24;
    s = s * r + 1.0f / 6;
    s = s * r + 0.5f;
    s = s * r + 1.0f;
    s = s * r + 1.0f;
    return (Vector)((Bits)s + (((Bits)shifted - (Bits)magic) << 23));
}

INLINE void inwards(
    const float *table, int64_t width, const int32_t *rows, int64_t depth, const float *drawn, int64_t channels,
    const float *inward, const float *scale, const float *bias, float hidden[PIXELS][WIDEST]
) {
    const float *texture[PIXELS][DEEPEST];
    int count[PIXELS];
    for (int i = 0; i < PIXELS; i++) {
        count[i] = 0;
        for (int64_t r = 0; r < depth; r++)
            if (rows[i * depth + r]) texture[i][count[i]++] = table + rows[i * depth + r] * width; /* row 0 is zero */
    }
    for (int64_t j = 0; j < width; j += 2 * LANES) {
        Vector left[PIXELS], right[PIXELS];
        for (int i = 0; i < PIXELS; i++) {
            Vector a = {0}, b = {0};
            for (int r = 0; r < count[i]; r++) a += load(texture[i][r] + j), b += load(texture[i][r] + j + LANES);
            left[i] = a * load(scale + j) + load(bias + j);
            right[i] = b * load(scale + j + LANES) + load(bias + j + LANES);
        }
        for (int64_t c = 0; c < channels; c++) {
            const Vector a = load(inward + c * width + j), b = load(inward + c * width + j + LANES);
            for (int i = 0; i < PIXELS; i++)
                left[i] += drawn[i * channels + c] * a, right[i] += drawn[i * channels + c] * b;
        }
        for (int i = 0; i < PIXELS; i++)
            store(hidden[i] + j, gelu(left[i])), store(hidden[i] + j + LANES, gelu(right[i]));
    }
}

/* `vectors` times eight columns of the logits, from column `k` on; `vectors` is a constant wherever this is called */
INLINE void outwards(
    const float hidden[PIXELS][WIDEST], int64_t width, const float *outward, const float *out_bias, int64_t columns,
    int64_t k, const int vectors, float logits[PIXELS][WIDEST]
) {
    Vector sum[PIXELS][3];
    for (int i = 0; i < PIXELS; i++)
        for (int v = 0; v < vectors; v++) sum[i][v] = load(out_bias + k + v * LANES);
    for (int64_t j = 0; j < width; j++) {
        const float *weight = outward + j * columns + k;
        for (int i = 0; i < PIXELS; i++)
            for (int v = 0; v < vectors; v++) sum[i][v] += hidden[i][j] * load(weight + v * LANES);
    }
    for (int i = 0; i < PIXELS; i++)
        for (int v = 0; v < vectors; v++) store(logits[i] + k + v * LANES, sum[i][v]);
}

INLINE int largest(const float *logits, int64_t columns, float *value) {
    const Bits lane = {0, 1, 2, 3, 4, 5, 6, 7};
    Vector best = load(logits);
    Bits place = lane;
    for (int64_t k = LANES; k < columns; k += LANES) {
        const Vector next = load(logits + k);
        const Bits better = next > best;
        best = choose(better, next, best);
        place = (better & (lane + (int32_t)k)) | (~better & place);
    }
    *value = best[0];
    int at = place[0];
    for (int n = 1; n < LANES; n++)
        if (best[n] > *value || (best[n] == *value && place[n] < at)) *value = best[n], at = place[n];
    return at;
}

INLINE uint8_t whole(float x) {
    const float rounded = (x + 12582912.0f) - 12582912.0f;
    return (uint8_t)(rounded < 0 ? 0 : rounded > 255 ? 255 : rounded);
}

/* palette [4, columns]: red, green, blue and one; zero in columns that only fill up */
INLINE void mix(
    const float *logits, int64_t columns, float highest, const float *palette, uint8_t *colour, float *confidence
) {
    Vector red = {0}, green = {0}, blue = {0}, one = {0};
    for (int64_t k = 0; k < columns; k += LANES) {
        const Vector share = exponential(load(logits + k) - highest);
        red += share * load(palette + k);
        green += share * load(palette + columns + k);
        blue += share * load(palette + 2 * columns + k);
        one += share * load(palette + 3 * columns + k);
    }
    const float part = 1.0f / sum_of(one);
    colour[0] = whole(sum_of(red) * part);
    colour[1] = whole(sum_of(green) * part);
    colour[2] = whole(sum_of(blue) * part);
    *confidence = part;
}

/* Pixels of one frame; the same as `_Job` in kernel.py.
 * width is a multiple of 16, columns one of 8, both at most 256; depth is at most 16, count and piece multiples of 4. */
typedef struct {
    const float *table;        /* [rows, width], row 0 zero */
    const int32_t *rows;       /* [count, depth] */
    const float *drawn;        /* [count, channels] */
    const float *inward;       /* [channels, width] */
    const float *scale, *bias; /* [width] */
    const float *outward;      /* [width, columns] */
    const float *out_bias;     /* [columns] */
    const uint8_t *names;      /* [columns] */
    const float *palette;      /* [4, columns]; NULL: neither colour nor confidence */
    uint8_t *entry;            /* [count] */
    uint8_t *colour;           /* [count, 3] */
    float *confidence;         /* [count] */
    int64_t depth, channels, width, columns, count;
    int64_t piece; /* pixels taken at once */
    int64_t next;  /* the first that nobody has taken */
} Job;

/* Do what is left of a job. Any number of threads may call this for one job at the same time. */
VERSIONS EXPORT void hst_head(Job *shared) {
    float hidden[PIXELS][WIDEST], logits[PIXELS][WIDEST];
    const Job job = *shared;
    const int64_t columns = job.columns, depth = job.depth, channels = job.channels;
    for (;;) {
        const int64_t from = __atomic_fetch_add(&shared->next, job.piece, __ATOMIC_RELAXED);
        for (int64_t at = from; at < from + job.piece; at += PIXELS) {
            if (at >= job.count) return;
            inwards(
                job.table, job.width, job.rows + at * depth, depth, job.drawn + at * channels, channels, job.inward,
                job.scale, job.bias, hidden
            );
            int64_t k = 0;
            for (; columns - k >= 3 * LANES; k += 3 * LANES)
                outwards(hidden, job.width, job.outward, job.out_bias, columns, k, 3, logits);
            if (columns - k == 2 * LANES)
                outwards(hidden, job.width, job.outward, job.out_bias, columns, k, 2, logits);
            if (columns - k == LANES) outwards(hidden, job.width, job.outward, job.out_bias, columns, k, 1, logits);
            for (int64_t i = 0; i < PIXELS; i++) {
                float highest;
                job.entry[at + i] = job.names[largest(logits[i], columns, &highest)];
                if (job.palette)
                    mix(logits[i], columns, highest, job.palette, job.colour + 3 * (at + i), job.confidence + at + i);
            }
        }
    }
}
