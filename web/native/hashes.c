/* BLAKE2b-64 (RFC 7693), by which the content of a group is recognised, and the CRC-32 of zlib and PNG. */
#include <stdint.h>
#include <string.h>

#define API __attribute__((visibility("default")))

typedef struct {
    uint64_t h[8], count;
    uint8_t block[128];
    uint32_t filled;
} Blake;

static const uint64_t IV[8] = {0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
                               0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u};
static const uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

static inline uint64_t turned(uint64_t x, int n) { return x >> n | x << (64 - n); }

static void compress(Blake *b, int last) {
    uint64_t v[16], m[16];
    memcpy(m, b->block, 128); /* WebAssembly is little-endian */
    memcpy(v, b->h, 64);
    memcpy(v + 8, IV, 64);
    v[12] ^= b->count;
    if (last) v[14] = ~v[14];
    for (int r = 0; r < 12; r++)
        for (int i = 0; i < 8; i++) {
            int column = i & 3, turn = i >> 2;
            uint64_t *p = v + column, *q = v + 4 + ((column + turn) & 3);
            uint64_t *s = v + 8 + ((column + 2 * turn) & 3), *t = v + 12 + ((column + 3 * turn) & 3);
            *p += *q + m[SIGMA[r % 10][2 * i]];
            *t = turned(*t ^ *p, 32);
            *s += *t;
            *q = turned(*q ^ *s, 24);
            *p += *q + m[SIGMA[r % 10][2 * i + 1]];
            *t = turned(*t ^ *p, 16);
            *s += *t;
            *q = turned(*q ^ *s, 63);
        }
    for (int i = 0; i < 8; i++) b->h[i] ^= v[i] ^ v[i + 8];
}

API uint32_t hst_blake_size(void) { return sizeof(Blake); }

API void hst_blake_start(Blake *b) {
    memset(b, 0, sizeof *b);
    memcpy(b->h, IV, sizeof IV);
    b->h[0] ^= 0x01010000u ^ 8; /* no key, 8 bytes of hash */
}

API void hst_blake_add(Blake *b, const uint8_t *data, uint32_t size) {
    while (size) {
        if (b->filled == 128) {
            b->count += 128;
            compress(b, 0);
            b->filled = 0;
        }
        uint32_t n = 128 - b->filled < size ? 128 - b->filled : size;
        memcpy(b->block + b->filled, data, n);
        b->filled += n;
        data += n;
        size -= n;
    }
}

/* The hash, eight bytes, in little-endian order. */
API void hst_blake_end(Blake *b, uint64_t *out) {
    b->count += b->filled;
    memset(b->block + b->filled, 0, 128 - b->filled);
    compress(b, 1);
    *out = b->h[0];
}

/* `seed` is 0, or the checksum of what was before. */
API uint32_t hst_crc32(const uint8_t *data, uint32_t size, uint32_t seed) {
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
            table[i] = c;
        }
    uint32_t crc = ~seed;
    while (size--) crc = table[(crc ^ *data++) & 255] ^ crc >> 8;
    return ~crc;
}
