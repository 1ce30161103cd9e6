/* Runs one recorded call of the codec's kernel or of the head and writes what it made: for machines without Python.
 *
 * The file: int32 which (0 hst_rows, 1 hst_pictures, 2 hst_head), int32 mode, int32 count, then for each argument an
 * int64: the length of the array that follows, or -1 and a number. No array is longer than its length; none at all has
 * length -2. The head takes one struct of its arguments. Written: the result as int64 (0 of the head), then the arrays
 * that were changed: the first one of the kernel's, the last three of the head's.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 48 };
typedef int64_t Call();
extern int64_t hst_rows(), hst_pictures();
extern void hst_head(void *);

int main(int count_of_words, char **words) {
    FILE *file = fopen(words[count_of_words - 1], "rb");
    int32_t head[3];
    void *given[MOST] = {0};
    int64_t sizes[MOST], result = 0;
    if (!file || fread(head, 4, 3, file) != 3 || head[2] > MOST) return 2;
    for (int i = 0; i < head[2]; i++) {
        if (fread(sizes + i, 8, 1, file) != 1) return 2;
        if (sizes[i] == -1 && fread(given + i, 8, 1, file) != 1) return 2;
        if (sizes[i] >= 0 && !(given[i] = aligned_alloc(64, (sizes[i] / 64 + 2) * 64))) return 2;
        if (sizes[i] >= 0 && (int64_t)fread(given[i], 1, sizes[i], file) != sizes[i]) return 2;
    }
#define A(n) given[n]
#define EIGHT(n) A(n), A(n + 1), A(n + 2), A(n + 3), A(n + 4), A(n + 5), A(n + 6), A(n + 7)
    if (head[0] < 2) {
        Call *call = (Call *)(head[0] ? (void *)hst_pictures : (void *)hst_rows);
        result = call(head[1], EIGHT(0), EIGHT(8), EIGHT(16), EIGHT(24), EIGHT(32), EIGHT(40));
    } else {
        hst_head(given);
    }
    fwrite(&result, 8, 1, stdout);
    for (int i = 0; i < head[2]; i++)
        if (sizes[i] >= 0 && (head[0] < 2 ? i == 0 : i >= 10)) fwrite(given[i], 1, sizes[i], stdout);
    return 0;
}
