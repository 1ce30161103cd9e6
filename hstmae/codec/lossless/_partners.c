/* Helper of pretraining only: which bytes of a row say most about another one. */
#include <stdint.h>
#include <stdlib.h>

#include "_kernel.h"

/* Cost in 1/65536 bits of coding one byte of `count` rows given what is known and one candidate more.
 *
 * columns [bytes, count]; value, changed [count] what is coded; known [count] hash of what is known; candidates
 * [candidates] rows of `columns`; log2 [65536] in 1/65536; cost [candidates] receives the result.
 */
HST_API int64_t hst_partners(const uint8_t *columns, int64_t count, const uint8_t *value, const uint8_t *changed,
                             const uint32_t *known, const int32_t *candidates, int64_t number, const int32_t *log2,
                             int64_t *cost) {
    uint16_t(*flags)[2] = calloc((size_t)1 << 15, sizeof(uint16_t[2]));
    uint32_t *values = calloc((size_t)1 << 14, sizeof(uint32_t)); /* value last seen, and how often in a row */
    uint32_t *used = malloc(sizeof(uint32_t) * (size_t)(count > 0 ? count : 1));
    if (!flags || !values || !used) {
        free(flags);
        free(values);
        free(used);
        return HST_MEMORY;
    }
    for (int64_t k = 0; k < number; k++) {
        const uint8_t *column = columns + (int64_t)candidates[k] * count;
        cost[k] = 0;
        for (int64_t i = 0; i < count; i++) {
            uint32_t hash = used[i] = hst_mix32(known[i] + column[i] * 0x9e3779b1u);
            uint16_t *f = flags[hash >> 17];
            cost[k] += log2[4 * (f[0] + f[1]) + 2] - log2[4 * f[changed[i]] + 1];
            if (++f[changed[i]] > 4000) f[0] /= 2, f[1] /= 2;
            if (!changed[i]) continue;
            uint32_t *v = values + (hst_mix32(hash) >> 18), seen = *v >> 8;
            cost[k] += log2[4 * seen + 6];
            if (seen && (*v & 255) == value[i]) {
                cost[k] -= log2[4 * seen];
                if (seen < 200) *v += 256;
            } else {
                cost[k] += (6 << 16) - log2[6];
                *v = 256u | value[i];
            }
        }
        for (int64_t i = 0; i < count; i++) { /* takes less than to clear all of both */
            flags[used[i] >> 17][0] = flags[used[i] >> 17][1] = 0;
            values[hst_mix32(used[i]) >> 18] = 0;
        }
    }
    free(flags);
    free(values);
    free(used);
    return 0;
}
