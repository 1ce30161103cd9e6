/** Pictures of true colour. As true_colour.py. */
import { viewOf } from "./chunks.js";
import type { Description } from "./description.js";
import { HstError } from "./errors.js";
import { DECODE, LIMIT, Maths, PalettePictures, SPEED } from "./group.js";
import type { Held, Pictures } from "./group.js";
import { neutralPictures } from "./models.js";

const HEAD = 12, MOST_BITS = 22, OTHER = 255, BACK = 2 ** 24, LARGEST = 2 ** 22;
const DIFFERENCES = 0, PALETTE = 1, RUNS = 2, PIXELS = 3, BLINKING = 4, RUN = 6, PLAIN = 1, PLANES = 2; // kinds of streams, and of the colours beside a palette

/** Of the stream COLR, or of PICT. Throws HstError where it makes no sense. */
export function trueColour(held: Held, data: Uint8Array, d: Description, frames: number, coloured: boolean): Pictures {
  if (coloured && (data[0] === PALETTE || data[0] === BLINKING)) return new ColourPictures(held, data, d, frames);
  if (coloured && data[0] === RUNS) return new Runs(held, data, d, frames);
  if (coloured && data[0] === PIXELS) return new PixelPictures(held, data.subarray(1), d, frames);
  if (coloured && data[0] !== DIFFERENCES) throw new HstError("damaged stream of pictures: of a kind that this program does not know");
  return new TrueColourPictures(held, coloured ? data.subarray(1) : data, d, frames);
}

/** Runs of frames, each in a stream of its own. */
class Runs implements Pictures {
  readonly at: number;
  private readonly streams: [Uint8Array, number][] = []; // and how many frames it holds
  private open: Pictures | null = null;
  private left = 0; // frames of the stream that is open

  constructor(private readonly held: Held, data: Uint8Array, private readonly d: Description, frames: number) {
    let at = data.length > 1 ? 2 + RUN * data[1]! : data.length, all = 0;
    if (data.length < at) throw new HstError("damaged stream of pictures: it is cut off");
    const view = viewOf(data), heads = at;
    for (let head = 2; head < heads; head += RUN) {
      const size = view.getUint32(head + 2, true), count = view.getUint16(head, true);
      if (data[at] === RUNS) throw new HstError("damaged stream of pictures: runs within runs");
      if (count) this.streams.push([data.subarray(at, at + size), count]);
      all += count;
      at += size;
    }
    if (all !== frames || at !== data.length) throw new HstError("damaged stream of pictures: its runs are not as long as the group");
    this.at = held.take(3 * d.height * d.width);
  }

  next(): void {
    if (!this.left) {
      this.open?.close(true);
      const [stream, count] = this.streams.shift()!;
      this.open = trueColour(this.held, stream, this.d, count, true);
      this.left = count;
      this.t = 0;
    }
    this.left--;
    this.open!.next(this.t++, null);
    this.held.native.bytes.copyWithin(this.at, this.open!.at, this.open!.at + 3 * this.d.height * this.d.width);
  }

  close(whole: boolean): void {
    this.open?.close(whole);
  }

  private t = 0; // of the next frame in that stream
}

/** Pixel by pixel. */
class PixelPictures implements Pictures {
  readonly at: number;
  private open: number;

  constructor(private readonly held: Held, data: Uint8Array, private readonly d: Description, frames: number) {
    const { native } = held, pixels = d.height * d.width;
    if (!data.length || data[0]! < 8 || data[0]! > MOST_BITS || pixels > LARGEST) throw new HstError("damaged stream of pictures: it is cut off, or states what no encoder writes");
    this.at = held.take(3 * pixels);
    this.open = native.calls.hst_colours_open(DECODE, BigInt(d.height), BigInt(d.width), BigInt(lookBack(frames, pixels)), data[0]!,
      ...Maths.of(native).places, LIMIT, SPEED, held.in(data.subarray(1)), BigInt(data.length - 1)); // prettier-ignore
    native.check(this.open);
  }

  next(): void {
    const { native } = this.held;
    native.check(native.calls.hst_colours_band(this.open, this.at, 0n, BigInt(Math.ceil(this.d.height / 8))));
  }

  close(whole: boolean): void {
    if (!this.open) return;
    const result = this.held.native.calls.hst_colours_close(this.open);
    this.open = 0;
    if (whole) this.held.native.check(result);
  }
}

/** How many pictures are looked through for what is drawn. */
const lookBack = (frames: number, pixels: number): number => Math.max(2, Math.min(frames + 1, Math.floor(BACK / pixels)));

/** Of a palette: pixels of other colours, bytes of the stream of indices, where that begins, and its colours as RGB. */
function headOf(data: Uint8Array): { number: number; length: number; end: number; colours: Uint8Array } {
  const short = "damaged stream of pictures: it is cut off";
  if (data.length < 4) throw new HstError(short);
  if (data[0] === PALETTE) {
    const view = viewOf(data), end = HEAD + 3 * (data[2]! + 1);
    if (data.length < end) throw new HstError(short);
    return { number: view.getUint32(4, true), length: view.getUint32(8, true), end, colours: data.slice(HEAD, end) };
  }
  let at = 4, colour = -1;
  const next = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      if (at >= data.length || scale > 2 ** 28) throw new HstError(short);
      const byte = data[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const number = next(), length = next(), colours = new Uint8Array(3 * (data[2]! + 1));
  for (let n = 0; n < colours.length; n += 3) {
    colour += next() + 1;
    if (colour >= 2 ** 24) throw new HstError("damaged stream of pictures: a colour beyond all");
    colours.set([colour >> 16, (colour >> 8) & 255, colour & 255], n);
  }
  return { number, length, end: at, colours };
}

/** Palette pictures, with the colours of pixels that the palette has none for. */
class ColourPictures implements Pictures {
  readonly at: number;
  private readonly drawn: PalettePictures;
  private readonly palette: Uint8Array;
  private readonly others: Uint8Array; // as RGB
  private readonly last: number; // of the palette
  private readonly kind: number;
  private used = 0;

  constructor(private readonly held: Held, data: Uint8Array, private readonly d: Description, frames: number) {
    const { number, length, end, colours } = headOf(data), bits = data[1]!, pixels = d.height * d.width;
    this.last = data[2]!;
    this.kind = data[3]!;
    if (bits < 8 || bits > MOST_BITS || data.length < end + length || number > frames * pixels) throw new HstError("damaged stream of pictures: it is cut off, or states what no encoder writes");
    this.palette = colours;
    this.others = this.unpack(data.subarray(end + length), number);
    this.drawn = new PalettePictures(held, data.subarray(end, end + length), { ...d, channels: 1, game: "", state: 0 }, frames, neutralPictures(data[0] === PALETTE ? 2 : 5, bits));
    this.drawn.lookBack(lookBack(frames, pixels), bits);
    this.at = held.take(3 * pixels);
  }

  next(t: number): void {
    this.drawn.next(t, null);
    const { native } = this.held, { palette, others, last, kind } = this, pixels = this.d.height * this.d.width;
    const index = native.bytes.subarray(this.drawn.at, this.drawn.at + pixels), out = native.bytes.subarray(this.at, this.at + 3 * pixels);
    for (let i = 0; i < pixels; i++) {
      const colour = index[i]!;
      let from = palette, at = 3 * colour;
      if (colour > last) {
        if (!kind) throw new HstError("damaged stream of pictures: a colour that is not in its palette");
        at = -1;
      }
      if (kind && colour === OTHER) {
        if (this.used + 3 > others.length) throw new HstError("damaged stream of pictures: fewer colours than pixels");
        from = others;
        at = this.used;
        this.used += 3;
      }
      for (let n = 0; n < 3; n++) out[3 * i + n] = at < 0 ? 0 : from[at + n]!;
    }
  }

  close(whole: boolean): void {
    this.drawn.close(whole);
    if (whole && this.used !== this.others.length) throw new HstError("damaged stream of pictures: more colours than pixels");
  }

  private unpack(data: Uint8Array, number: number): Uint8Array {
    if (!this.kind) {
      if (data.length || number) throw new HstError("damaged stream of pictures: bytes left over");
      return new Uint8Array(0);
    }
    if (this.kind > PLANES) throw new HstError("damaged stream of pictures: colours of an unknown kind");
    const { data: raw, used } = this.held.native.lzma2(data, 3 * number);
    if (raw.length !== 3 * number || used !== data.length) throw new HstError("damaged stream of pictures");
    if (this.kind === PLAIN) return raw;
    const rgb = new Uint8Array(3 * number);
    for (let i = 0; i < number; i++) {
      const green = raw[i]!;
      rgb.set([(raw[number + i]! + green) & 255, green, (raw[2 * number + i]! + green) & 255], 3 * i);
    }
    return rgb;
  }
}

/** Differences, packed by LZMA. */
class TrueColourPictures implements Pictures {
  readonly at: number;
  private readonly differences: Uint8Array;
  private readonly last: Uint8Array;
  private readonly fromBefore: boolean;
  private readonly planes: boolean;

  constructor(private readonly held: Held, data: Uint8Array, private readonly d: Description, frames: number) {
    const size = frames * d.height * d.width * 3;
    const { data: raw, used } = held.native.lzma2(data.subarray(1), size);
    if (raw.length !== size || data[0]! > 3 || used !== data.length - 1) throw new HstError("damaged stream of pictures");
    this.differences = raw;
    this.fromBefore = (data[0]! & 1) === 1;
    this.planes = (data[0]! & 2) === 2;
    this.last = new Uint8Array(d.height * d.width * 3);
    this.at = held.take(this.last.length);
  }

  next(t: number): void {
    const { last, d } = this, line = 3 * d.width, from = t * last.length;
    if (this.planes) this.interleave(from);
    if (this.fromBefore && t) {
      for (let i = 0; i < last.length; i++) last[i]! += this.differences[from + i]!; // modulo 256
    } else {
      for (let i = 0; i < last.length; i++) {
        const beside = i % line >= 3 ? last[i - 3]! : i >= line ? last[i - line]! : 0;
        last[i] = this.differences[from + i]! + beside;
      }
    }
    this.held.native.bytes.set(last, this.at);
  }

  close(): void {}

  /** Planes G, R - G, B - G of the frame at `from` become RGB. */
  private interleave(from: number): void {
    const size = this.last.length / 3, planes = this.differences.slice(from, from + 3 * size);
    for (let i = 0; i < size; i++) {
      const green = planes[i]!;
      this.differences[from + 3 * i] = planes[size + i]! + green; // modulo 256
      this.differences[from + 3 * i + 1] = green;
      this.differences[from + 3 * i + 2] = planes[2 * size + i]! + green;
    }
  }
}
