/* LZMA2 streams, as the tables of the codec and true-colour pictures are packed: all of a stream at once, into memory
 * that is its own dictionary. Every size is checked: no stream reads or writes outside of what it is given.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define API __attribute__((visibility("default")))

enum { DAMAGED = -1, FULL = -2, CUT_OFF = -3, MEMORY = -4 };
enum { STATES = 12, PLACES = 16, LITERAL = 0x300, HALF = 1024 };

typedef uint16_t Chance;

typedef struct {
    Chance choice[2], low[PLACES][8], middle[PLACES][8], high[256];
} Lengths;

typedef struct { /* chances only */
    Chance match[STATES][PLACES], repeat[STATES], repeat0[STATES], repeat1[STATES], repeat2[STATES];
    Chance longer[STATES][PLACES], slot[4][64], special[128], align[16];
    Lengths lengths, repeats;
    Chance literal[LITERAL << 4];
} Model;

typedef struct {
    Model m;
    const uint8_t *in;
    uint8_t *out;
    uint32_t size, at, done, begin; /* of input; of output, and where its dictionary begins */
    uint32_t range, code;
    int literal_bits, literal_places, places, state;
    uint32_t back[4];
} Decoder;

static inline void refill(Decoder *d) {
    if (d->range >> 24) return;
    d->range <<= 8;
    d->code = d->code << 8 | (d->at < d->size ? d->in[d->at] : 0);
    d->at++;
}

static inline uint32_t bit(Decoder *d, Chance *c) {
    refill(d);
    uint32_t bound = (d->range >> 11) * *c;
    if (d->code < bound) {
        d->range = bound;
        *c = (Chance)(*c + ((2048 - *c) >> 5));
        return 0;
    }
    d->range -= bound;
    d->code -= bound;
    *c = (Chance)(*c - (*c >> 5));
    return 1;
}

static uint32_t tree(Decoder *d, Chance *c, int bits) {
    uint32_t node = 1;
    for (int i = 0; i < bits; i++) node = node << 1 | bit(d, c + node);
    return node - (1u << bits);
}

static uint32_t reversed(Decoder *d, Chance *c, int bits) {
    uint32_t node = 1, value = 0;
    for (int i = 0; i < bits; i++) {
        uint32_t b = bit(d, c + node);
        node = node << 1 | b;
        value |= b << i;
    }
    return value;
}

static uint32_t length_of(Decoder *d, Lengths *l, uint32_t place) {
    if (!bit(d, l->choice)) return 2 + tree(d, l->low[place], 3);
    if (!bit(d, l->choice + 1)) return 10 + tree(d, l->middle[place], 3);
    return 18 + tree(d, l->high, 8);
}

static uint32_t distance_of(Decoder *d, uint32_t length) {
    uint32_t slot = tree(d, d->m.slot[length < 6 ? length - 2 : 3], 6);
    if (slot < 4) return slot;
    int bits = (int)(slot >> 1) - 1;
    uint32_t distance = (2 | (slot & 1)) << bits;
    if (slot < 14) return distance + reversed(d, d->m.special + distance - slot, bits);
    for (int i = bits - 1; i >= 4; i--) {
        refill(d);
        d->range >>= 1;
        uint32_t set = d->code >= d->range;
        if (set) d->code -= d->range;
        distance |= set << i;
    }
    return distance | reversed(d, d->m.align, 4);
}

static void literal(Decoder *d) {
    uint32_t before = d->done > d->begin ? d->out[d->done - 1] : 0, node = 1;
    uint32_t place = (d->done - d->begin) & ((1u << d->literal_places) - 1);
    Chance *c = d->m.literal + LITERAL * ((place << d->literal_bits) + (before >> (8 - d->literal_bits)));
    if (d->state >= 7) {
        uint32_t match = d->out[d->done - d->back[0] - 1], offset = 0x100;
        do {
            match <<= 1;
            uint32_t expected = match & offset, b = bit(d, c + offset + expected + node);
            node = node << 1 | b;
            offset &= b ? match : ~match;
        } while (node < 0x100);
    } else {
        do node = node << 1 | bit(d, c + node);
        while (node < 0x100);
    }
    d->out[d->done++] = (uint8_t)node;
    d->state = d->state < 4 ? 0 : d->state < 10 ? d->state - 3 : d->state - 6;
}

/* Decode up to output position `end`. */
static int run(Decoder *d, uint32_t end) {
    while (d->done < end) {
        uint32_t place = (d->done - d->begin) & ((1u << d->places) - 1), length;
        int s = d->state;
        if (d->at > d->size) return CUT_OFF;
        if (!bit(d, &d->m.match[s][place])) {
            if (s >= 7 && d->back[0] >= d->done - d->begin) return DAMAGED;
            literal(d);
            continue;
        }
        if (!bit(d, d->m.repeat + s)) {
            memmove(d->back + 1, d->back, 3 * sizeof *d->back);
            length = length_of(d, &d->m.lengths, place);
            d->back[0] = distance_of(d, length);
            d->state = s < 7 ? 7 : 10;
        } else if (!bit(d, d->m.repeat0 + s)) {
            length = bit(d, &d->m.longer[s][place]) ? 0 : 1;
            if (length) d->state = s < 7 ? 9 : 11;
        } else {
            int which = !bit(d, d->m.repeat1 + s) ? 1 : !bit(d, d->m.repeat2 + s) ? 2 : 3;
            uint32_t distance = d->back[which];
            memmove(d->back + 1, d->back, (size_t)which * sizeof *d->back);
            d->back[0] = distance;
            length = 0;
        }
        if (!length) {
            length = length_of(d, &d->m.repeats, place);
            d->state = s < 7 ? 8 : 11;
        }
        if (d->back[0] >= d->done - d->begin || length > end - d->done) return DAMAGED;
        for (; length; length--, d->done++) d->out[d->done] = d->out[d->done - d->back[0] - 1];
    }
    refill(d);
    return d->at > d->size ? CUT_OFF : 0;
}

/* One packed chunk whose control byte is `kind`: its input is in[at, at + packed). */
static int chunk(Decoder *d, int kind, uint32_t unpacked, uint32_t packed, int properties) {
    if (kind >= 2) {
        if (properties >= 225) return DAMAGED;
        d->literal_bits = properties % 9;
        d->literal_places = properties / 9 % 5;
        d->places = properties / 45;
        if (d->literal_bits + d->literal_places > 4) return DAMAGED;
    }
    if (kind >= 1) {
        Chance *c = (Chance *)&d->m;
        for (size_t i = 0; i < sizeof d->m / sizeof *c; i++) c[i] = HALF;
        memset(d->back, 0, sizeof d->back);
        d->state = 0;
    }
    uint32_t whole = d->size, end = d->at + packed;
    if (packed < 5 || d->in[d->at]) return DAMAGED;
    d->range = 0xffffffffu;
    d->code = 0;
    for (int i = 1; i < 5; i++) d->code = d->code << 8 | d->in[d->at + (uint32_t)i];
    d->at += 5;
    d->size = end;
    int wrong = run(d, d->done + unpacked);
    d->size = whole;
    return wrong ? wrong : d->at != end || d->code ? DAMAGED : 0;
}

static int stream(Decoder *d, uint32_t room) {
    int need = 3; /* what the next packed chunk has to bring at the least: 3 everything, 2 properties, 1 chances */
    for (;;) {
        if (d->at >= d->size) return CUT_OFF;
        uint32_t control = d->in[d->at], left = d->size - d->at;
        if (!control) {
            d->at++;
            return 0;
        }
        if (control >= 3 && control < 0x80) return DAMAGED;
        uint32_t head = control < 3 ? 3 : control >= 0xc0 ? 6 : 5;
        if (left < head) return CUT_OFF;
        const uint8_t *h = d->in + d->at;
        uint32_t unpacked = ((control & 0x80 ? control & 31 : 0) << 16) + ((uint32_t)h[1] << 8 | h[2]) + 1;
        uint32_t packed = control < 3 ? unpacked : ((uint32_t)h[3] << 8 | h[4]) + 1;
        if (left - head < packed) return CUT_OFF;
        if (unpacked > room - d->done) return FULL;
        d->at += head;
        if (control < 3) {
            if (control == 1) d->begin = d->done, need = 2;
            else if (need > 2) return DAMAGED;
            memcpy(d->out + d->done, d->in + d->at, packed);
            d->at += packed;
            d->done += packed;
            continue;
        }
        int kind = control >> 5 & 3;
        if (kind < need) return DAMAGED;
        if (kind == 3) d->begin = d->done;
        need = 0;
        int wrong = chunk(d, kind, unpacked, packed, head == 6 ? h[5] : 0);
        if (wrong) return wrong;
    }
}

/* Unpack a stream of `size` bytes into at most `room`. Returns the bytes it unpacked to, or a negative error; with
 * `part`, what came out before an error. `used` receives the bytes of the stream.
 */
API int32_t hst_lzma2(const uint8_t *in, uint32_t size, uint8_t *out, uint32_t room, int part, uint32_t *used) {
    Decoder *d = calloc(1, sizeof *d);
    if (!d) return MEMORY;
    d->in = in, d->size = size, d->out = out;
    int wrong = stream(d, room);
    int32_t done = (int32_t)d->done;
    *used = d->at;
    free(d);
    return wrong && !part ? wrong : done;
}
