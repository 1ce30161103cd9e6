/* Lossless kernel: the coder of palette pictures. See _kernel.h for the rules; twin: reference/pictures.py. */
#include "_picture.h"

#include <stdlib.h>
#include <string.h>

static int code_pixel(Pictures *p, Pixel *x, int64_t i, int64_t at, int missed, int colour) {
    int64_t s = p->stride;
    const uint8_t *c = p->cur + i, *e = p->wrong + i;
    int tried[RANKS], rank = 0;
    uint32_t trail = (uint32_t)(e[-1] >> 7 | e[-s] >> 7 << 1 | e[-s - 1] >> 7 << 2 | e[-s + 1] >> 7 << 3 | e[0] >> 7 << 4);
    for (; rank < RANKS; rank++) {
        int guess = -1, best = 0;
        if (rank == 0) guess = x->top;
        for (int a = 0; rank && a < SOURCES; a++) {
            int used = x->colour[a] < 0;
            for (int r = 0; r < rank; r++) used |= tried[r] == x->colour[a];
            if (!used && (guess < 0 || x->vote[a] > best)) guess = x->colour[a], best = x->vote[a];
        }
        const int64_t around[4] = {-1, -s, -s - 1, -s + 1};
        for (int a = 0; guess < 0 && a < 4; a++) {
            int used = 0;
            for (int r = 0; r < rank; r++) used |= tried[r] == c[around[a]];
            if (!used) guess = c[around[a]];
        }
        if (guess < 0) break;
        Mix mix;
        uint32_t agree = 0, hash[PIXEL_SLOTS], g = (uint32_t)guess | (uint32_t)rank << 8;
        for (int a = 0; a < SOURCES; a++) {
            int out = x->colour[a] < 0;
            for (int r = 0; r < rank; r++) out |= tried[r] == x->colour[a];
            int yes = x->colour[a] == guess;
            mix.in[a] = out ? 0 : yes ? x->score[a] : -x->score[a];
            agree |= (uint32_t)yes << a;
        }
        int bucket = rank ? best : x->top_score;
        bucket = bucket < 0 ? 0 : bucket / 256 > 31 ? 31 : bucket / 256;
        hash[0] = hst_hash2(x->key[0], g);
        hash[1] = hst_hash2(agree << 2 | (uint32_t)(missed > 3 ? 3 : missed), g >> 8);
        hash[2] = hst_hash2((uint32_t)c[-1] << 8 | c[-s], g);
        hash[3] = hst_hash2(x->key[4], g);
        hash[4] = hst_hash2((uint32_t)p->prev[i + p->shift] << 16 | (uint32_t)p->prev[i] << 8 | c[-1], g);
        hash[5] = hst_hash2((uint32_t)bucket << 5 | trail, g >> 8);
        hash[6] = hst_hash2(x->key[5], g);
        if (p->ring) hash[7] = hst_hash2((uint32_t)(HST_LEVEL[x->run[0]] << 3 | HST_LEVEL[x->run[1]]) << 7 | agree, g >> 8);
        else hash[7] = hst_hash2((uint32_t)at, g);
        for (int n = 0; n < PIXEL_SLOTS; n++) hash[n] = hst_hash2(hash[n], (uint32_t)n + 16);
        mix.a = p->w_pixel + (rank * 128 + (int)agree) * PIXEL_INPUTS;
        mix.b = p->w_pixel + (RANKS * 128 + rank * 32 + (int)trail) * PIXEL_INPUTS;
        if (hst_mixed_bit(p, &mix, SOURCES, hash, PIXEL_SLOTS, guess == colour)) return guess;
        tried[rank] = guess;
    }
    int node = 1;
    for (int bit = 7; bit >= 0; bit--) {
        Mix mix;
        uint32_t hash[ESCAPE_SLOTS] = {(uint32_t)x->top, (uint32_t)c[-1] << 8 | c[-s], x->key[0], 0};
        for (int n = 0; n < ESCAPE_SLOTS; n++) hash[n] = hst_hash2(hst_hash2(hash[n], (uint32_t)node), (uint32_t)n + 32);
        mix.a = p->w_escape;
        mix.b = p->w_escape + (1 + bit) * p->escape_inputs;
        node = node * 2 + hst_mixed_bit(p, &mix, 0, hash, ESCAPE_SLOTS, colour >> bit & 1);
    }
    return node & 255;
}

static void code_block(Pictures *p, int64_t by, int64_t bx, const uint8_t *source, uint8_t *target) {
    int64_t s = p->stride, y1 = (by + 1) * BLOCK, x1 = (bx + 1) * BLOCK, across = (p->width + BLOCK - 1) / BLOCK;
    if (y1 > p->height) y1 = p->height;
    if (x1 > p->width) x1 = p->width;
    if (p->asked && hst_pass_block(p, by, bx, target)) return;
    int asked = p->w_quiet && (!p->first || (p->version > 2 && p->rendered));
    if (asked && hst_quiet_block(p, by, bx, source, target)) return;
    Pixel pixel[BLOCK * BLOCK];
    uint8_t kept[BLOCK * BLOCK], kept_wrong[BLOCK * BLOCK];
    int low = 1 << 20, weak = 0, same = 1, n = 0;
    for (int64_t y = by * BLOCK; y < y1; y++)
        for (int64_t x = bx * BLOCK; x < x1; x++) hst_expect(p, (y + PAD) * s + x + PAD);
    for (int64_t y = by * BLOCK; y < y1; y++)
        for (int64_t x = bx * BLOCK; x < x1; x++, n++) {
            int64_t i = (y + PAD) * s + x + PAD;
            kept[n] = p->cur[i];
            kept_wrong[n] = p->wrong[i];
            hst_look_at(p, pixel + n, i);
            p->cur[i] = (uint8_t)pixel[n].top;
            int wrong = 0;
            for (int a = 0; a < SOURCES; a++)
                wrong |= (pixel[n].colour[a] >= 0 && pixel[n].colour[a] != pixel[n].top) << a;
            p->wrong[i] = (uint8_t)wrong;
            if (pixel[n].top_score < low) low = pixel[n].top_score;
            weak += pixel[n].top_score < 1800;
            if (source && source[y * p->width + x] != pixel[n].top) same = 0;
        }
    /* flags of the previous picture stand where those of this one are still to come */
    uint8_t *f = p->flags + (by + 1) * (across + 2) + bx + 1;
    int64_t f1 = across + 2;
    uint32_t around = (uint32_t)(f[-1] | f[-f1] << 1 | f[-f1 - 1] << 2 | f[-f1 + 1] << 3 | f[0] << 4 | f[1] << 5 | f[f1] << 6);
    uint32_t lowest = low < 0 ? 0 : low / 256 > 31 ? 31 : (uint32_t)low / 256, many = weak > 15 ? 15 : (uint32_t)weak;
    Mix mix;
    uint32_t hash[FLAG_SLOTS] = {lowest << 4 | many, around, (uint32_t)(by * across + bx) << 1 | (around >> 4 & 1),
                                 lowest << 7 | around, many << 1 | (p->shift != 0)};
    for (int k = 0; k < FLAG_SLOTS; k++) hash[k] = hst_hash2(hash[k] * 2 + (uint32_t)p->first, (uint32_t)k + 48);
    mix.in[0] = low < -2839 ? -2839 : low > 2839 ? 2839 : low;
    mix.a = p->w_flag + p->first * p->flag_inputs;
    mix.b = p->w_flag + (2 + (int)lowest) * p->flag_inputs;
    same = hst_mixed_bit(p, &mix, 1, hash, FLAG_SLOTS, same);
    *f = asked ? 1 : (uint8_t)!same;
    n = 0;
    int missed = 0;
    if (!same)
        for (int64_t y = by * BLOCK; y < y1; y++)
            for (int64_t x = bx * BLOCK; x < x1; x++, n++) {
                int64_t i = (y + PAD) * s + x + PAD;
                p->cur[i] = kept[n];
                p->wrong[i] = kept_wrong[n];
            }
    n = 0;
    for (int64_t y = by * BLOCK; y < y1; y++)
        for (int64_t x = bx * BLOCK; x < x1; x++, n++) {
            int64_t i = (y + PAD) * s + x + PAD, at = y * p->width + x;
            if (!same) {
                hst_look_at(p, pixel + n, i);
                int colour = code_pixel(p, pixel + n, i, at, missed, source ? source[at] : 0);
                missed += colour != pixel[n].top;
                p->cur[i] = (uint8_t)colour;
            }
            hst_learn_pixel(p, pixel + n, i, p->cur[i], !same);
            if (target) target[at] = p->cur[i];
        }
    uint8_t *from = p->from + (f - p->flags);
    if (*from & ASK_BEFORE) hst_ask_before(p, from, (by * BLOCK + PAD) * s + bx * BLOCK + PAD, y1 - by * BLOCK, x1 - bx * BLOCK);
}

static int code_shift(Pictures *p, int value, uint32_t last, uint32_t hint) {
    int node = 1;
    for (int bit = 8; bit >= 0; bit--) {
        Mix mix;
        uint32_t hash[ESCAPE_SLOTS] = {last, hint, last << 8 ^ hint, 0};
        for (int n = 0; n < ESCAPE_SLOTS; n++) hash[n] = hst_hash2(hst_hash2(hash[n], (uint32_t)node), (uint32_t)n + 64);
        mix.a = p->w_escape + 9 * p->escape_inputs;
        mix.b = p->w_escape + (10 + bit) * p->escape_inputs;
        node = node * 2 + hst_mixed_bit(p, &mix, 0, hash, ESCAPE_SLOTS, value >> bit & 1);
    }
    return node & 511;
}

/* Get ready to code palette pictures [frames, height, width]. Returns what hst_pictures_next and hst_pictures_close
 * take, or a negative error; until then all arrays stay where they are. hints [frames]: a byte that tells about the
 * camera's movement. What belongs to one frame of them is read when that frame is coded.
 *
 * sources [7, 8, 64]; w_flag [34, 7], w_pixel [640, 16], w_escape [19, 5]: weights. w_quiet [36, 8] is null in the
 * first version, which has no quiet blocks. version: 1 to 5; from the third on w_flag [34, 8] and w_escape [19, 8].
 */
HST_API intptr_t hst_pictures_open(int mode, int64_t height, int64_t width, const int64_t *scene_sizes,
                                   const int32_t *layout, const int16_t *tiles, const int16_t *corners,
                                   const int16_t *list, const uint32_t *look, const uint8_t *hints, uint32_t *slots,
                                   int slot_bits, uint32_t *cells, int cell_bits, uint32_t *sources, int32_t *w_flag,
                                   int32_t *w_pixel, int32_t *w_escape, int32_t *w_quiet, int version,
                                   const int16_t *stretch, const uint16_t *squash, const int32_t *rate,
                                   const int32_t *trust, int limit, int speed, uint8_t *buf, int64_t cap) {
    if (height < 1 || width < 1 || height > 65535 || width > 65535 || slot_bits < 8 || slot_bits > 24 ||
        cell_bits < 8 || cell_bits > 24 || version < 1 || version > 5 || (version > 1) != (w_quiet != 0))
        return HST_ARGUMENT;
    Scene scene = {scene_sizes[0], scene_sizes[1], scene_sizes[2], scene_sizes[3], layout, tiles, corners, list, look};
    int64_t stride = width + 2 * PAD, area = stride * (height + 2 * PAD);
    int64_t down = (height + BLOCK - 1) / BLOCK, across = (width + BLOCK - 1) / BLOCK, flags = (down + 2) * (across + 2);
    Pictures *p = calloc(1, sizeof *p);
    uint8_t *bytes = calloc((size_t)(3 * area + 2 * flags), 1);
    uint32_t *keys = calloc((size_t)((w_quiet ? 6 : 3) * area), 4);
    if (!p || !bytes || !keys) {
        free(p);
        free(bytes);
        free(keys);
        return HST_MEMORY;
    }
    *p = (Pictures){.maths = {stretch, squash, rate, trust}, .slots = slots, .slot_bits = slot_bits, .cells = cells,
                    .cell_bits = cell_bits, .sources = sources, .w_flag = w_flag, .w_pixel = w_pixel,
                    .w_escape = w_escape, .limit = (uint32_t)limit, .speed = speed, .height = height, .width = width,
                    .stride = stride, .bytes = bytes, .cur = bytes, .prev = bytes + area, .wrong = bytes + 2 * area,
                    .flags = bytes + 3 * area, .from = bytes + 3 * area + flags, .keys = keys, .tile = keys,
                    .front = keys + area, .second = keys + 2 * area, .w_quiet = w_quiet, .version = version,
                    .flag_inputs = version > 2 ? WIDE_INPUTS : FLAG_INPUTS,
                    .escape_inputs = version > 2 ? WIDE_INPUTS : ESCAPE_INPUTS,
                    .first = 1, .rendered = scene.layers + scene.sprites > 0, .mode = mode, .scene = scene,
                    .hints = hints, .last = 8 * 17 + 8};
    for (int i = 0; i < SOURCES * 8 * 64; i++) p->scores[i] = (int16_t)hst_stretch(&p->maths, sources[i] >> 16);
    p->coder = &p->own_coder;
    hst_coder_start(p->coder, mode, buf, cap);
    return (intptr_t)p;
}

/* Get ready for the next picture: 0, or a negative error. */
static int64_t begin(Pictures *p, const uint8_t *frame) {
    int64_t t = p->t++;
    const uint8_t *source = p->mode == HST_ENCODE ? frame : 0;
    if (p->rendered) {
        if (p->w_quiet) {
            int64_t area = p->stride * (p->height + 2 * PAD), half = t & 1 ? 3 * area : 0;
            p->old_tile = p->tile, p->old_front = p->front, p->old_second = p->second;
            p->tile = p->keys + half, p->front = p->tile + area, p->second = p->front + area;
        }
        hst_render(p, &p->scene, t);
        p->last_tile = p->last_sprite[0] = p->last_sprite[1] = 0xffffffffu;
        p->look_changed = p->look[0] != p->scene.look[t * 2] || p->look[1] != p->scene.look[t * 2 + 1];
        p->look[0] = p->scene.look[t * 2];
        p->look[1] = p->scene.look[t * 2 + 1];
    }
    if (t) {
        int64_t area = p->stride * (p->height + 2 * PAD);
        uint8_t *next = p->prev;
        if (p->ring) next = p->ring + (p->cur - p->ring + area) % p->ring_size;
        p->prev = p->cur;
        p->cur = next;
        memcpy(p->cur, p->prev, (size_t)area);
        p->first = 0;
        p->last = (uint32_t)code_shift(p, source ? hst_find_shift(p, source, p->w_quiet ? 4 : 2) : 0, p->last, p->hints[t]);
        int64_t dy = (int64_t)p->last / 17 - 8, dx = (int64_t)p->last % 17 - 8;
        if (dy > 8) return HST_ARGUMENT;
        p->shift = dy * p->stride + dx;
    }
    return 0;
}

/* Code some rows of blocks, `from` to before `to`, of the next picture [height, width]: 0, or a negative error. All of
 * them have to be coded in order.
 */
HST_API int64_t hst_pictures_band(Pictures *p, uint8_t *frame, int64_t from, int64_t to) {
    int64_t across = (p->width + BLOCK - 1) / BLOCK, wrong = from ? 0 : begin(p, frame);
    int encode = p->mode == HST_ENCODE;
    if (wrong) return wrong;
    for (int64_t by = from; by < to; by++)
        for (int64_t bx = 0; bx < across; bx++) {
            int64_t start = p->spent ? hst_spent(p->coder) : 0;
            code_block(p, by, bx, encode ? frame : 0, encode ? 0 : frame);
            if (p->spent) *p->spent++ = (int32_t)(hst_spent(p->coder) - start);
        }
    return 0;
}

/* Code the next picture [height, width]: 0, or a negative error. */
HST_API int64_t hst_pictures_next(Pictures *p, uint8_t *frame) {
    return hst_pictures_band(p, frame, 0, (p->height + BLOCK - 1) / BLOCK);
}

/* From now on code with a coder that others use, too, as hst_packets_open gives it. */
HST_API void hst_pictures_share(Pictures *p, Coder *coder) { p->coder = coder; }

/* Bytes written, or a negative error. */
HST_API int64_t hst_pictures_close(Pictures *p) {
    int64_t result = hst_coder_finish(p->coder);
    free(p->bytes);
    free(p->keys);
    free(p->ring);
    free(p->places);
    free(p->back);
    free(p->run);
    free(p);
    return result;
}

/* Code all pictures: see hst_pictures_open. */
HST_API int64_t hst_pictures(int mode, uint8_t *frames, int64_t count, int64_t height, int64_t width,
                             const int64_t *scene_sizes, const int32_t *layout, const int16_t *tiles,
                             const int16_t *corners, const int16_t *list, const uint32_t *look, const uint8_t *hints,
                             uint32_t *slots, int slot_bits, uint32_t *cells, int cell_bits, uint32_t *sources,
                             int32_t *w_flag, int32_t *w_pixel, int32_t *w_escape, int32_t *w_quiet, int version,
                             const int16_t *stretch, const uint16_t *squash, const int32_t *rate, const int32_t *trust,
                             int limit, int speed, uint8_t *buf, int64_t cap) {
    if (count < 1) return HST_ARGUMENT;
    intptr_t opened = hst_pictures_open(mode, height, width, scene_sizes, layout, tiles, corners, list, look, hints,
                                        slots, slot_bits, cells, cell_bits, sources, w_flag, w_pixel, w_escape,
                                        w_quiet, version, stretch, squash, rate, trust, limit, speed, buf, cap);
    if (opened < 0) return opened;
    Pictures *p = (Pictures *)opened;
    int64_t wrong = 0;
    while (!wrong && p->t < count && !p->coder->overflow) wrong = hst_pictures_next(p, frames + p->t * height * width);
    int64_t result = hst_pictures_close(p);
    return wrong ? wrong : result;
}
