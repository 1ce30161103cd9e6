/** What coding a group starts from: neutral, or read from the file of tables that the package bundles. */
import { viewOf } from "./chunks.js";
import { HstError } from "./errors.js";
import type { Native } from "./native.js";
import { ownSha256, sha256 } from "./sha256.js";

const PARTNERS = 6, ROW_INPUTS = 33;
const WIDE = 40, LINE = 8, LINE_INPUTS = 16, GUESS_INPUTS = 24, QUIET_INPUTS = 8; // from the second version on
const SOURCES = 7, LEVELS = 8, NEAR = 64;
const LEVEL_START = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.985];
const MAGICS = ["HSTTABLE1\n", "HSTTABLE2\n", "HSTTABLE3\n"];
const LARGEST = 64 * 2 ** 20; // bytes unpacked
export const NEUTRAL = { 1: "neutral-1", 2: "neutral-2", 3: "neutral-3", 4: "neutral-4" } as const;

export type Version = 1 | 2 | 3 | 4 | 5; // of the streams; nothing but neutral pictures is of the fourth, and pictures of true colour of the fifth

export interface RowModel {
  size: number;
  order: Uint16Array;
  partners: Uint16Array;
  start: Uint8Array;
  slots: Uint32Array; // 2^bits
  own: Int32Array;
  shared: Int32Array;
  version: Version;
  lines: LineModel | null; // from the second version on
}

export interface LineModel {
  firstPartners: Uint16Array;
  linePartners: Uint16Array;
  lineOwn: Int32Array;
  lineShared: Int32Array;
  cells: Uint32Array; // 2^bits
  guessOwn: Int32Array;
  guessShared: Int32Array;
}

export interface PictureModel {
  slots: Uint32Array;
  cells: Uint32Array;
  sources: Uint32Array;
  flag: Int32Array;
  pixel: Int32Array;
  escape: Int32Array;
  version: Version;
  quiet: Int32Array | null; // from the second version on
}

export interface Tables {
  hash: string;
  state: RowModel | null;
  actions: RowModel | null;
  pictures: PictureModel;
}

export const bitsOf = (table: Uint32Array): number => 31 - Math.clz32(table.length);

/** Pictures that nothing is known of. */
export function neutralPictures(version: Version, bits = 18): PictureModel {
  const levels = LEVEL_START.map((p) => Math.round(p * 4194303) * 1024);
  const sources = Uint32Array.from({ length: SOURCES * LEVELS * NEAR }, (_, i) => levels[Math.floor(i / NEAR) % LEVELS]!);
  return {
    slots: new Uint32Array(1 << bits),
    cells: new Uint32Array(1 << (version < 3 ? bits : bits + 1)),
    sources,
    flag: version < 3 ? weights(34, 7, 7, 9830) : weights(34, 8, 7, 9830),
    pixel: new Int32Array(640 * 16).fill(7864),
    escape: version < 3 ? weights(19, 5, 5, 13107) : weights(19, 8, 5, 13107),
    version,
    quiet: version === 1 ? null : new Int32Array(36 * QUIET_INPUTS).fill(9830),
  };
}

export function neutralTables(version: keyof typeof NEUTRAL): Tables {
  const pictures = neutralPictures(version);
  return { hash: ownSha256(new TextEncoder().encode(NEUTRAL[version])), state: null, actions: null, pictures };
}

/** Weights of `inputs` inputs, the last of which stand for a constant, or nothing. */
const weights = (sets: number, inputs: number, used: number, weight: number): Int32Array =>
  new Int32Array(sets * inputs).map((_, i) => (i % inputs < used ? weight : 0));

/** `model` where it is one of such rows, else a start that knows nothing. */
export function fitting(model: RowModel | null, size: number, side: number, stated: Version): RowModel {
  const version = stated > 3 ? 3 : stated; // rows have no fourth
  if (model && model.size === size && model.partners.every((at) => at < size + side)) return model;
  const partners = new Uint16Array(size * PARTNERS);
  for (let a = 0; a < size; a++) {
    const near = [1, 2, 4, 16].map((distance) => Math.max(a - distance, 0));
    partners.set([...near, side ? size : 0, Math.min(a + 1, size - 1)], a * PARTNERS);
  }
  const inputs = version === 1 ? ROW_INPUTS : WIDE, lines = Math.ceil(size / LINE);
  const first = (line: number): number[] => [0, 3, 4].map((k) => partners[line * LINE * PARTNERS + k]!);
  return {
    size,
    order: Uint16Array.from({ length: size }, (_, a) => a),
    partners,
    start: new Uint8Array(size),
    slots: new Uint32Array(1 << 18),
    own: new Int32Array(size * 2 * inputs),
    shared: weights(32, inputs, ROW_INPUTS - 1, 18350),
    version,
    lines: version === 1 ? null : {
      firstPartners: partners,
      linePartners: Uint16Array.from(Array.from({ length: lines }, (_, line) => first(line)).flat()),
      lineOwn: new Int32Array(lines * LINE_INPUTS),
      lineShared: weights(version < 3 ? 8 : 9, LINE_INPUTS, LINE_INPUTS - 1, 18350),
      cells: new Uint32Array(1 << 18),
      guessOwn: new Int32Array(size * GUESS_INPUTS),
      guessShared: new Int32Array(64 * GUESS_INPUTS).fill(9830),
    },
  };
}

type Numbers = Uint8Array | Uint16Array | Int32Array | Uint32Array;

/** Numbers whose lowest bytes stand first, then the next ones, and so on. */
function fromPlanes(kind: string, raw: Uint8Array, count: number): Numbers {
  const width = kind === "|u1" ? 1 : kind === "<u2" ? 2 : 4;
  if (!["|u1", "<u2", "<i4", "<u4"].includes(kind) || count * width > raw.length) throw new Error(`${count} numbers of kind ${kind}`);
  const [a, b, c, d] = [0, 1, 2, 3].map((plane) => raw.subarray(plane * count, (plane + 1) * count)) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  if (width === 1) return a.slice();
  const out = width === 2 ? new Uint16Array(count) : kind === "<i4" ? new Int32Array(count) : new Uint32Array(count);
  if (width === 2) for (let i = 0; i < count; i++) out[i] = a[i]! | (b[i]! << 8);
  else for (let i = 0; i < count; i++) out[i] = a[i]! | (b[i]! << 8) | (c[i]! << 16) | (d[i]! << 24);
  return out;
}

/** What a file of tables unpacks to, and the file's SHA-256 in hexadecimal. */
export interface RawTables {
  version: Version;
  raw: Uint8Array;
  hash: string;
}

/** Throws HstError where the file is damaged, or no such file. */
export async function unpackFile(native: Native, file: Uint8Array, where: string): Promise<RawTables> {
  const magic = String.fromCharCode(...file.subarray(0, 10));
  const version = MAGICS.indexOf(magic) + 1;
  if (!version) throw new HstError(`${where}: no tables of the lossless codec, or of another version`);
  try {
    return { version: version as Version, raw: unpackXz(native, file.subarray(10)), hash: await sha256(file) };
  } catch (error) {
    throw new HstError(`${where}: damaged tables of the lossless codec (${(error as Error).message})`);
  }
}

/** Throws HstError likewise. */
export function readTables({ version, raw, hash }: RawTables, where: string): Tables {
  try {
    const end = raw.indexOf(10);
    const header = JSON.parse(new TextDecoder().decode(raw.subarray(0, end))) as { arrays: [string, string, number[]][] };
    const arrays = new Map<string, Numbers>();
    let at = end + 1;
    for (const [key, kind, shape] of header.arrays) {
      const count = shape.reduce((product, n) => product * n, 1);
      const array = fromPlanes(kind, raw.subarray(at), count);
      at += array.byteLength;
      arrays.set(key, array);
    }
    const get = <T extends Numbers>(key: string): T => {
      const found = arrays.get(key);
      if (!found) throw new Error(`without ${key}`);
      return found as T;
    };
    const rows = (part: string): RowModel => {
      const start = get<Uint8Array>(`${part}.start`);
      return {
        size: start.length,
        order: get(`${part}.order`),
        partners: get(`${part}.partners`),
        start,
        slots: hashed(get, `${part}.slots`),
        own: get(`${part}.own`),
        shared: get(`${part}.shared`),
        version,
        lines: !arrays.has(`${part}.line_own`) ? null : {
          firstPartners: get(`${part}.first_partners`),
          linePartners: get(`${part}.line_partners`),
          lineOwn: get(`${part}.line_own`),
          lineShared: get(`${part}.line_shared`),
          cells: hashed(get, `${part}.cells`),
          guessOwn: get(`${part}.guess_own`),
          guessShared: get(`${part}.guess_shared`),
        },
      };
    };
    const pictures: PictureModel = {
      slots: hashed(get, "pictures.slots"),
      cells: hashed(get, "pictures.cells"),
      sources: get("pictures.sources"),
      flag: get("pictures.flag"),
      pixel: get("pictures.pixel"),
      escape: get("pictures.escape"),
      version,
      quiet: arrays.has("pictures.quiet") ? get("pictures.quiet") : null,
    };
    return { hash, state: rows("state"), actions: rows("actions"), pictures };
  } catch (error) {
    throw new HstError(`${where}: damaged tables of the lossless codec (${(error as Error).message})`);
  }
}

function hashed(get: <T extends Numbers>(key: string) => T, key: string): Uint32Array {
  const bits = get<Int32Array>(`${key}:bits`)[0]!;
  if (bits < 8 || bits > 24) throw new Error("entries outside of their table");
  const out = new Uint32Array(2 ** bits), gap = get<Uint32Array>(`${key}:gap`), value = get<Uint32Array>(`${key}:value`);
  let at = 0;
  for (let i = 0; i < gap.length; i++) {
    at += gap[i]!;
    if (at >= out.length) throw new Error("entries outside of their table");
    out[at] = value[i]!;
  }
  return out;
}

/** An .xz file of one block that only LZMA2 packs, as Python writes it; its content is checked by SHA-256, not here. */
function unpackXz(native: Native, data: Uint8Array): Uint8Array {
  const view = viewOf(data), index = data.length - 12 - 4 * (view.getUint32(data.length - 8, true) + 1);
  const head = 4 * (data[12]! + 1); // of the block
  let at = index + 2;
  const number = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = data[at++]!;
      value += (byte & 127) * shift;
      if (!(byte & 128) || shift > 2 ** 42) return value;
    }
  };
  if (data[0] !== 0xfd || data[index] !== 0 || data[index + 1] !== 1) throw new Error("no .xz file of one block");
  number(); // packed bytes
  const size = number();
  if (!(size <= LARGEST)) throw new Error("too large");
  const { data: raw } = native.lzma2(data.subarray(12 + head, index), size);
  if (raw.length !== size) throw new Error("cut off");
  return raw;
}
