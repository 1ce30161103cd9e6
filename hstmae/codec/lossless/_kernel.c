/* Lossless kernel: the range coder. See _kernel.h; _rows.c and _picture.c use it. */
#include "_kernel.h"

#include <stdlib.h>
#include <string.h>

/* ---- range coder ---- */

void hst_coder_start(Coder *c, int mode, uint8_t *buf, int64_t cap) {
    memset(c, 0, sizeof *c);
    c->buf = buf;
    c->cap = cap;
    c->range = 0xffffffffu;
    c->decode = mode == HST_DECODE;
    if (c->decode)
        for (int i = 0; i < 4; i++, c->pos++) c->code = (c->code << 8) | (c->pos < cap ? buf[c->pos] : 0);
    else
        c->pending = 1, c->pos = -1; /* the first byte would always be 0 and is not written */
}

static void put(Coder *c, uint8_t byte) {
    if (c->pos >= c->cap) c->overflow = 1;
    else if (c->pos >= 0) c->buf[c->pos] = byte;
    c->pos++;
}

/* Send the top byte of `low`, or hold it back while a carry could still run through it. */
void hst_shift_low(Coder *c) {
    uint32_t top = (uint32_t)(c->low >> 24);
    if (top != 0xff) {
        uint8_t carry = (uint8_t)(top >> 8);
        put(c, (uint8_t)(c->cache + carry));
        for (int64_t i = 1; i < c->pending; i++) put(c, (uint8_t)(0xff + carry));
        c->pending = 1;
        c->cache = (uint8_t)top;
    } else {
        c->pending++;
    }
    c->low = (c->low & 0x00ffffffu) << 8;
}

/* Bytes written, or a negative error. The end is the number with the most zero bytes that still decodes; they are cut. */
int64_t hst_coder_finish(Coder *c) {
    if (c->decode) return c->pos < c->cap ? HST_TRAILING : c->cap;
    uint64_t end = c->low;
    for (int zeros = 32; zeros >= 8; zeros -= 8) {
        uint64_t mask = zeros == 32 ? 0xffffffffu : (1u << zeros) - 1;
        uint64_t try = (c->low + mask) & ~mask;
        if (try < c->low + c->range) {
            end = try;
            break;
        }
    }
    c->low = end;
    for (int i = 0; i < 5; i++) hst_shift_low(c);
    if (c->overflow) return HST_OVERFLOW;
    while (c->pos > 0 && c->buf[c->pos - 1] == 0) c->pos--;
    return c->pos;
}

/* ---- packets: what is coded of one frame, by rows and pictures that share a coder ---- */

/* A coder, or 0. */
HST_API Coder *hst_packets_open(void) { return calloc(1, sizeof(Coder)); }

/* Start a packet: write to `buf`, or read the packet that is there. */
HST_API void hst_packets_begin(Coder *c, int mode, uint8_t *buf, int64_t cap) { hst_coder_start(c, mode, buf, cap); }

/* End it: its bytes, or a negative error. */
HST_API int64_t hst_packets_end(Coder *c) { return hst_coder_finish(c); }

HST_API void hst_packets_close(Coder *c) { free(c); }
