/* Coder of byte rows, from the second version on. Twin: reference/rows.py.
 *
 * Asks of lines of 8 bytes whether any byte changes, and of each byte only where one does; a byte that changes is first
 * looked for among guesses. The first row has partners of its own, and is asked by lines in the third version alone.
 */
#include "_rows.h"

/* Mix `n` contexts, inputs filled up with zeros to `wide`, a multiple of 8. */
static inline int rows_bit16(Rows *r, const uint32_t *context, int n, int wide, uint32_t node, int bit, int32_t *own,
                             int32_t *shared) {
    Mix16 mix;
    uint32_t *slot[CONTEXTS], hash[CONTEXTS];
    mix.a = own;
    mix.b = shared;
    for (int i = 0; i < n; i++) {
        hash[i] = hst_mix32(context[i] + node * 0x9e3779b1u);
        hst_touch(r->slots + (hash[i] >> (32 - r->bits)));
    }
    for (int i = n + 1; i < wide; i++) mix.in[i] = 0;
    mix.in[n] = 256;
    for (int i = 0; i < n; i++) {
        slot[i] = hst_slot(r->slots, r->bits, hash[i]);
        mix.in[i] = (int16_t)hst_slot_input(&r->maths, *slot[i]);
    }
    uint32_t p = hst_mix16(&r->maths, &mix, wide);
    bit = hst_code_bit(r->coder, bit, p);
    for (int i = 0; i < n; i++) *slot[i] = hst_slot_update(&r->maths, *slot[i], bit, r->limit);
    hst_learn16(&mix, wide, bit, p, r->speed);
    return bit;
}

/* Whether any byte of line `l`, coded from `k` to `end`, changes. */
static int code_line(Rows *r, const Row *w, int64_t l, int64_t k, int64_t end, const uint8_t *row, uint32_t lines) {
    uint32_t was = 0, steps = 0, moved = 0, moved2 = 0, just = 0, before = 0, q[LINE_PARTNERS], d[LINE_PARTNERS];
    const uint8_t *cur = r->cur, *last = r->last, *older = r->older;
    int touched = 0, bit = 1;
    for (; k < end; k++, bit <<= 1) {
        uint32_t a = r->order[k];
        const uint16_t *p = r->partners + (int64_t)a * PARTNERS;
        was = (was ^ last[a]) * 0x01000193u;
        steps = (steps ^ (uint8_t)(last[a] - older[a])) * 0x01000193u;
        if (cur[p[0]] != last[p[0]]) moved |= (uint32_t)bit;
        if (cur[p[1]] != last[p[1]]) moved2 |= (uint32_t)bit;
        if (r->past[a] & 1) just |= (uint32_t)bit;
        if (r->past[a] & 2) before |= (uint32_t)bit;
        if (r->mode == HST_ENCODE && row[a] != last[a]) touched = 1;
    }
    for (int i = 0; i < LINE_PARTNERS; i++) {
        uint32_t p = r->line_partners[l * LINE_PARTNERS + i];
        q[i] = cur[p], d[i] = (uint8_t)(cur[p] - last[p]);
    }
    uint32_t past = r->line_past[l], since = r->line_since[l], c[LINE_CONTEXTS];
    uint32_t here = r->version > 2 ? (uint32_t)l * 2 + w->first : (uint32_t)l;
    c[0] = here;
    c[1] = hst_hash2(here, past);
    c[2] = hst_hash2(here, since);
    c[3] = hst_hash2(here, was);
    c[4] = hst_hash2(here, steps);
    c[5] = hst_hash2(here, moved);
    c[6] = hst_hash2(here, moved << 8 | moved2);
    c[7] = hst_hash2(here, d[0] << 8 | d[1]);
    c[8] = hst_hash2(here, just << 8 | before);
    c[9] = hst_hash2(here, q[0] << 8 | q[1]);
    c[10] = hst_hash2(hst_hash2(here, was), q[0] << 16 | q[1] << 8 | q[2]);
    c[11] = hst_hash2(here, lines & 15);
    c[12] = hst_hash2(past << 8 | since, just);
    c[13] = hst_hash2(here, w->input);
    c[14] = hst_hash2(hst_hash2(here, was), q[0]);
    for (int i = 0; i < LINE_CONTEXTS; i++) c[i] = hst_hash2(c[i], (uint32_t)i + 64);
    uint32_t set = w->first ? 8 : since > 6 ? since > 31 ? 7 : 6 : since;
    touched = rows_bit16(r, c, LINE_CONTEXTS, LINE_INPUTS, 0, touched, r->line_own + l * LINE_INPUTS,
                         r->line_shared + set * LINE_INPUTS);
    r->line_past[l] = (uint8_t)(past << 1 | (uint32_t)touched);
    r->line_since[l] = touched ? 0 : since < 255 ? (uint8_t)(since + 1) : 255;
    return touched;
}

/* Code the byte at `place` in its line; `last`: it is the last one there. */
static void code_byte16(Rows *r, Row *w, uint8_t *row, uint32_t a, int place, int last, const uint16_t *partners) {
    uint32_t c[CONTEXTS], v = r->last[a], value = v;
    const uint16_t *p = partners + (int64_t)a * PARTNERS;
    int32_t *own = r->own + (int64_t)a * 2 * WIDE;
    int quiet = (r->version > 2 || !w->first) && !w->recent;
    uint32_t set = quiet ? (uint32_t)place : 8 + (w->busy > 31 ? 7 : w->busy / 4);
    hst_row_contexts(r, w, a, p, c);
    int changed = quiet && last; /* one of them did */
    if (!changed)
        changed = rows_bit16(r, c, CONTEXTS, WIDE, 0, r->mode == HST_ENCODE && row[a] != v, own, r->shared + set * WIDE);
    if (changed) {
        Guesses g;
        int found = hst_guess(r, w, a, p, &g, row[a]);
        value = (uint32_t)found;
        if (found < 0) {
            uint32_t node = 1;
            for (int i = 7; i >= 0; i--)
                node = node * 2 + (uint32_t)rows_bit16(r, c, CONTEXTS, WIDE, node, (row[a] >> i) & 1, own + WIDE,
                                                       r->shared + (16 + i + 8 * (int)w->first) * WIDE);
            value = node & 255;
        }
        hst_learn_guesses(r, &g, v, value);
    }
    changed = hst_learn_byte(r, row, a, value);
    w->recent = (w->recent << 1 | (uint32_t)changed) & 127;
    w->busy = (w->busy * 15) / 16 + (uint32_t)changed * 4;
}

void hst_code_lines(Rows *r, Row *w, uint8_t *row) {
    uint32_t lines = 0;
    const uint16_t *partners = w->first ? r->first_partners : r->partners;
    for (int64_t k = 0, l = 0; k < r->size; k += LINE, l++) {
        int64_t end = k + LINE < r->size ? k + LINE : r->size;
        int touched = w->first && r->version < 3 ? 1 : code_line(r, w, l, k, end, row, lines);
        lines = lines << 1 | (uint32_t)touched;
        w->recent = 0;
        if (touched) {
            for (int64_t n = k; n < end; n++) code_byte16(r, w, row, r->order[n], (int)(n - k), n + 1 == end, partners);
            continue;
        }
        w->busy = w->busy * 5 / 8;
        for (int64_t n = k; n < end; n++) hst_learn_byte(r, row, r->order[n], r->last[r->order[n]]);
    }
}
