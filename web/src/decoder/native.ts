/** The compiled parts: the codec's kernel and what browsers lack, as one WebAssembly module. */
import { HstError } from "./errors.js";

interface Exports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  malloc(size: number): number;
  free(at: number): void;
  hst_inflate(from: number, size: number, dictionary: number, length: number, to: number, room: number, used: number): number;
  hst_inflate_raw(from: number, size: number, dictionary: number, length: number, to: number, room: number, used: number): number;
  hst_lzma2(from: number, size: number, to: number, room: number, part: number, used: number): number;
  hst_crc32(at: number, size: number, seed: number): number;
  hst_blake_size(): number;
  hst_blake_start(at: number): void;
  hst_blake_add(at: number, data: number, size: number): void;
  hst_blake_end(at: number, out: number): void;
  hst_rows_open(...values: (number | bigint)[]): number;
  hst_rows_next(rows: number): void;
  hst_rows_share(rows: number, coder: number): void;
  hst_rows_close(rows: number): bigint;
  hst_pictures_open(...values: (number | bigint)[]): number;
  hst_pictures_look_back(pictures: number, count: bigint, bits: number): bigint;
  hst_pictures_next(pictures: number, frame: number): bigint;
  hst_pictures_share(pictures: number, coder: number): void;
  hst_pictures_close(pictures: number): bigint;
  hst_colours_open(...values: (number | bigint)[]): number;
  hst_colours_band(pictures: number, frame: number, from: bigint, to: bigint): bigint;
  hst_colours_close(pictures: number): bigint;
  hst_packets_open(): number;
  hst_packets_begin(coder: number, mode: number, data: number, size: bigint): void;
  hst_packets_end(coder: number): bigint;
  hst_packets_close(coder: number): void;
}

type Numbers = Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array;

const REASONS = ["", "it is damaged", "it holds more than it may", "it is cut off", "there is no memory for it"];
const LEFT_OVER = -4n;
const KERNEL = ["", "no room for the output", "out of memory", "values that no encoder writes", "bytes left over"];

export interface Unpacked {
  data: Uint8Array;
  used: number;
}

export class Native {
  readonly calls: Exports;

  private constructor(calls: Exports) {
    this.calls = calls;
    calls._initialize();
  }

  static async load(module: BufferSource): Promise<Native> {
    const { instance } = await WebAssembly.instantiate(module, {});
    return new Native(instance.exports as unknown as Exports);
  }

  /** All memory; a new view each time, since growing makes older ones useless. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.calls.memory.buffer);
  }

  /** Throws HstError where there is no memory left. */
  take(size: number): number {
    const at = this.calls.malloc(Math.max(size, 16));
    if (!at) throw new HstError(`no memory for ${size.toLocaleString("en")} bytes more: close other pages, or play a smaller file`);
    return at >>> 0;
  }

  copyIn(data: Numbers): number {
    const at = this.take(data.byteLength);
    this.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    return at;
  }

  free(...places: number[]): void {
    for (const at of places) if (at) this.calls.free(at);
  }

  /** `seed`: 0, or the checksum of what was before. */
  crc32(data: Uint8Array, seed = 0): number {
    const at = this.copyIn(data);
    const crc = this.calls.hst_crc32(at, data.length, seed) >>> 0;
    this.free(at);
    return crc;
  }

  /** A zlib stream (`raw`: a Deflate stream) of at most `room` bytes unpacked, and how much of `data` it was. Throws
   * HstError. */
  inflate(data: Uint8Array, room: number, dictionary: Uint8Array = new Uint8Array(0), raw = false): Unpacked {
    const words = this.copyIn(dictionary);
    try {
      return this.unpack(data, room, (from, to, used) =>
        this.calls[raw ? "hst_inflate_raw" : "hst_inflate"](from, data.length, words, dictionary.length, to, room, used),
      );
    } finally {
      this.free(words);
    }
  }

  /** The same of an LZMA2 stream; with `part` what came out before an error. Throws HstError. */
  lzma2(data: Uint8Array, room: number, part = false): Unpacked {
    return this.unpack(data, room, (from, to, used) =>
      this.calls.hst_lzma2(from, data.length, to, room, part ? 1 : 0, used),
    );
  }

  /** Throws HstError for a negative result of the kernel. */
  check(result: bigint | number): void {
    if (result < 0) throw new HstError(`damaged stream: ${KERNEL[-Number(result)] ?? `error ${result}`}`);
  }

  /** The same where not all of a stream was read. */
  checkPart(result: bigint): void {
    if (result !== LEFT_OVER) this.check(result);
  }

  private unpack(data: Uint8Array, room: number, call: (from: number, to: number, used: number) => number): Unpacked {
    const from = this.copyIn(data);
    const to = this.take(room);
    const used = this.take(4);
    try {
      const size = call(from, to, used);
      if (size < 0) throw new HstError(`a packed part cannot be read: ${REASONS[-size]}`);
      return { data: this.bytes.slice(to, to + size), used: new Uint32Array(this.calls.memory.buffer, used, 1)[0]! };
    } finally {
      this.free(from, to, used);
    }
  }
}

/** BLAKE2b-64 over pieces that lie in the memory of `native`. */
export class Blake {
  private readonly at: number;

  constructor(private readonly native: Native) {
    this.at = native.take(native.calls.hst_blake_size());
    native.calls.hst_blake_start(this.at);
  }

  add(place: number, size: number): void {
    this.native.calls.hst_blake_add(this.at, place, size);
  }

  /** The eight bytes of the hash. */
  end(): Uint8Array {
    const out = this.native.take(8);
    this.native.calls.hst_blake_end(this.at, out);
    const found = this.native.bytes.slice(out, out + 8);
    this.native.free(out);
    return found;
  }

  free(): void {
    this.native.free(this.at);
  }
}
