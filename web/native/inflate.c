/* zlib streams (RFC 1950, 1951) with a preset dictionary, which browsers cannot unpack by themselves. Every size is
 * checked: no stream reads or writes outside of what it is given.
 */
#include <stdint.h>
#include <string.h>

#define API __attribute__((visibility("default")))

enum { DAMAGED = -1, FULL = -2, CUT_OFF = -3 };

typedef struct {
    const uint8_t *in, *dictionary;
    uint32_t size, at, dictionary_size; /* bytes of input and dictionary; `at` is the next of input */
    uint32_t bits, count;               /* bits read ahead, and how many */
    uint8_t *out;
    uint32_t room, done;
    int wrong;
} Stream;

typedef struct {
    uint16_t count[16], symbol[288];
} Codes;

static uint32_t take(Stream *s, uint32_t n) {
    while (s->count < n) {
        if (s->at == s->size) {
            s->wrong = CUT_OFF;
            return 0;
        }
        s->bits |= (uint32_t)s->in[s->at++] << s->count;
        s->count += 8;
    }
    uint32_t value = s->bits & ((1u << n) - 1);
    s->bits >>= n;
    s->count -= n;
    return value;
}

/* Canonical codes of the given lengths: 0 where they fill their space, or as zlib allows a single code of one bit. */
static int build(Codes *c, const uint8_t *length, int n, int one_is_enough) {
    uint16_t next[16];
    memset(c->count, 0, sizeof c->count);
    for (int i = 0; i < n; i++) c->count[length[i]]++;
    int left = 1, used = n - c->count[0];
    for (int bits = 1; bits < 16; bits++) {
        left = left * 2 - c->count[bits];
        if (left < 0) return DAMAGED;
    }
    if (left > 0 && !(one_is_enough && used <= 1 && c->count[1] == used)) return DAMAGED;
    next[1] = 0;
    for (int bits = 1; bits < 15; bits++) next[bits + 1] = (uint16_t)(next[bits] + c->count[bits]);
    for (int i = 0; i < n; i++)
        if (length[i]) c->symbol[next[length[i]]++] = (uint16_t)i;
    return 0;
}

static int symbol_of(Stream *s, const Codes *c) {
    int code = 0, first = 0, index = 0;
    for (int bits = 1; bits < 16; bits++) {
        code |= (int)take(s, 1);
        if (s->wrong) return 0;
        int count = c->count[bits];
        if (code - count < first) return c->symbol[index + code - first];
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    s->wrong = DAMAGED;
    return 0;
}

static void put(Stream *s, uint8_t byte) {
    if (s->done == s->room) s->wrong = FULL;
    else s->out[s->done++] = byte;
}

static void copy(Stream *s, uint32_t distance, uint32_t length) {
    if (distance > s->done + s->dictionary_size) s->wrong = DAMAGED;
    for (; length && !s->wrong; length--)
        put(s, distance <= s->done ? s->out[s->done - distance]
                                   : s->dictionary[s->dictionary_size - (distance - s->done)]);
}

static void coded(Stream *s, const Codes *literals, const Codes *distances) {
    static const uint16_t base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                      31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t far[30] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                                     193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    while (!s->wrong) {
        int symbol = symbol_of(s, literals);
        if (s->wrong || symbol == 256) return;
        if (symbol < 256) {
            put(s, (uint8_t)symbol);
            continue;
        }
        symbol -= 257;
        if (symbol >= 29) {
            s->wrong = DAMAGED;
            return;
        }
        uint32_t length = base[symbol] + take(s, extra[symbol]);
        int d = symbol_of(s, distances);
        if (s->wrong) return;
        if (d >= 30) {
            s->wrong = DAMAGED;
            return;
        }
        uint32_t distance = far[d] + take(s, d < 2 ? 0 : (uint32_t)(d - 2) >> 1);
        if (!s->wrong) copy(s, distance, length);
    }
}

static void stored(Stream *s) {
    s->bits = s->count = 0; /* what was read ahead is less than a byte */
    uint32_t length = take(s, 16), check = take(s, 16);
    if (!s->wrong && length != (check ^ 0xffff)) s->wrong = DAMAGED;
    for (; length && !s->wrong; length--) put(s, (uint8_t)take(s, 8));
}

static void fixed(Stream *s) {
    uint8_t length[288];
    Codes literals, distances;
    for (int i = 0; i < 288; i++) length[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    build(&literals, length, 288, 0);
    memset(length, 5, 32); /* 30 and 31 are codes without a meaning */
    build(&distances, length, 32, 0);
    coded(s, &literals, &distances);
}

static void described(Stream *s) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t length[320] = {0};
    Codes lengths, literals, distances;
    uint32_t n = take(s, 5) + 257, m = take(s, 5) + 1, k = take(s, 4) + 4, i = 0;
    if (s->wrong || n > 286 || m > 30) {
        s->wrong = s->wrong ? s->wrong : DAMAGED;
        return;
    }
    for (; i < k; i++) length[order[i]] = (uint8_t)take(s, 3);
    if (!s->wrong) s->wrong = build(&lengths, length, 19, 0);
    memset(length, 0, sizeof length);
    for (i = 0; i < n + m && !s->wrong;) {
        int symbol = symbol_of(s, &lengths);
        if (symbol < 16) {
            length[i++] = (uint8_t)symbol;
            continue;
        }
        uint32_t times = symbol == 16 ? 3 + take(s, 2) : symbol == 17 ? 3 + take(s, 3) : 11 + take(s, 7);
        if (i + times > n + m || (symbol == 16 && !i)) s->wrong = DAMAGED;
        uint8_t value = symbol == 16 && i ? length[i - 1] : 0;
        for (; times && !s->wrong; times--) length[i++] = value;
    }
    if (!s->wrong && !length[256]) s->wrong = DAMAGED;
    if (!s->wrong) s->wrong = build(&literals, length, (int)n, 1);
    if (!s->wrong) s->wrong = build(&distances, length + n, (int)m, 1);
    if (!s->wrong) coded(s, &literals, &distances);
}

static uint32_t adler(const uint8_t *data, uint32_t size) {
    uint32_t a = 1, b = 0;
    while (size) {
        uint32_t n = size < 5552 ? size : 5552;
        for (size -= n; n; n--) b += a += *data++;
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

static uint32_t big_endian(Stream *s) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value = value << 8 | take(s, 8);
    return value;
}

static void blocks(Stream *s) {
    for (uint32_t last = 0; !last && !s->wrong;) {
        last = take(s, 1);
        switch (take(s, 2)) {
        case 0: stored(s); break;
        case 1: fixed(s); break;
        case 2: described(s); break;
        default: s->wrong = DAMAGED;
        }
    }
    s->bits = s->count = 0;
}

/* Unpack a zlib stream of `size` bytes into at most `room`. Returns the bytes it unpacked to, or a negative error;
 * `used` receives the bytes of the stream.
 */
API int32_t hst_inflate(const uint8_t *in, uint32_t size, const uint8_t *dictionary, uint32_t dictionary_size,
                        uint8_t *out, uint32_t room, uint32_t *used) {
    Stream s = {.in = in, .size = size, .dictionary = dictionary, .out = out, .room = room};
    uint32_t first = take(&s, 8), second = take(&s, 8);
    if (s.wrong) return CUT_OFF;
    if ((first & 15) != 8 || first >> 4 > 7 || (first << 8 | second) % 31) return DAMAGED;
    if (second & 32) {
        if (big_endian(&s) != adler(dictionary, dictionary_size) || s.wrong) return DAMAGED;
        s.dictionary_size = dictionary_size;
    }
    blocks(&s);
    uint32_t check = s.wrong ? 0 : big_endian(&s);
    if (!s.wrong && check != adler(out, s.done)) s.wrong = DAMAGED;
    *used = s.at;
    return s.wrong ? s.wrong : (int32_t)s.done;
}

/* The same of a Deflate stream without what zlib puts around it. */
API int32_t hst_inflate_raw(const uint8_t *in, uint32_t size, const uint8_t *dictionary, uint32_t dictionary_size,
                            uint8_t *out, uint32_t room, uint32_t *used) {
    Stream s = {.in = in, .size = size, .dictionary = dictionary, .dictionary_size = dictionary_size, .out = out, .room = room};
    blocks(&s);
    *used = s.at;
    return s.wrong ? s.wrong : (int32_t)s.done;
}
