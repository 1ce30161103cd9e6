/** The bytes of a .hst file: a signature, then chunks. docs/file-format.md describes them byte by byte. */
import { HstError } from "./errors.js";
import type { Native } from "./native.js";

const SIGNATURE = [0x89, 0x48, 0x53, 0x54, 0x0d, 0x0a, 0x1a, 0x0a];
const MAJOR = 1;
export const PREAMBLE_BYTES = 16;
const SYNC = 0xd5;
export const HEADER_BYTES = 24;
const CRC_BYTES = 4;
export const OVERHEAD = HEADER_BYTES + CRC_BYTES;
export const NO_EPISODE = 0xffff_ffff;

export const FINAL = 1; // flag of EPI
export const HASHED = 1, NUMBERED = 2, STEPPED = 4; // flags of groups

export const MAX_PAYLOAD = 256 * 2 ** 20;
const MAX_EPISODES = 2 ** 20;
export const MAX_CHUNKS = 2 ** 24;
export const MAX_FRAMES = 2 ** 30;
export const MAX_GOP = 1024;
const SCAN_WORK = 16; // bytes that a scan may check for each byte of the file

export const GROUPS = ["GOP", "GRP"];
export const KNOWN = ["HED", "EPI", ...GROUPS, "FLM", "fil", "fac", "rst", "idx", "end"];

/** What stands before a chunk's payload, and where the chunk begins in the file. */
export interface Chunk {
  at: number;
  kind: string; // three letters; a capital first one: no reader may pass over it
  length: number;
  episode: number;
  first: number;
  frames: number;
  flags: number;
}

export const sizeOf = (chunk: Chunk): number => chunk.length + OVERHEAD;
export const sameChunk = (a: Chunk, b: Chunk): boolean => (Object.keys(a) as (keyof Chunk)[]).every((key) => a[key] === b[key]);
export const critical = (chunk: Chunk): boolean => chunk.kind[0]! < "a";

/** Throws HstError unless `start` begins a .hst file of a version that this program reads. */
export function checkPreamble(native: Native, start: Uint8Array): void {
  const same = (upto: number) => SIGNATURE.slice(0, upto).every((byte, i) => start[i] === byte);
  if (start.length < PREAMBLE_BYTES || !same(4)) throw new HstError("not a .hst file, or its first bytes are damaged (then `hstmae recover` helps)");
  if (!same(8)) throw new HstError("changed as if it were text (line ends): copy it again, as a binary file");
  const view = viewOf(start);
  if (native.crc32(start.subarray(0, 12)) !== view.getUint32(12, true)) throw new HstError("its first bytes are damaged: `hstmae recover` saves what can be saved");
  const [major, minor] = [view.getUint16(8, true), view.getUint16(10, true)];
  if (major !== MAJOR) throw new HstError(`format version ${major}.${minor}; this player reads ${MAJOR}: update it`);
}

/** The header at `place` of `data`, which begins at `offset` of a file of `size` bytes; null where there is none. */
export function parseHeader(native: Native, data: Uint8Array, place: number, offset: number, size: number): Chunk | null {
  if (place < 0 || place + HEADER_BYTES > data.length || data[place] !== SYNC) return null;
  const view = viewOf(data.subarray(place, place + HEADER_BYTES));
  if (native.crc32(data.subarray(place, place + 20)) !== view.getUint32(20, true)) return null;
  const kind = String.fromCharCode(data[place + 1]!, data[place + 2]!, data[place + 3]!);
  const chunk: Chunk = {
    at: offset + place,
    kind,
    length: view.getUint32(4, true),
    episode: view.getUint32(8, true),
    first: view.getUint32(12, true),
    frames: view.getUint16(16, true),
    flags: view.getUint16(18, true),
  };
  return /^[A-Za-z]{3}$/.test(kind) && chunk.at + sizeOf(chunk) <= size && inLimits(chunk) ? chunk : null;
}

function inLimits(chunk: Chunk): boolean {
  const { length, episode, first, frames } = chunk;
  if (length > MAX_PAYLOAD || (episode >= MAX_EPISODES && episode !== NO_EPISODE)) return false;
  return first + frames <= MAX_FRAMES && frames <= MAX_GOP;
}

/** The payload of a chunk of which `data` holds all bytes, from its header on; null where its checksum is wrong. */
export function payloadOf(native: Native, data: Uint8Array, chunk: Chunk): Uint8Array | null {
  const end = HEADER_BYTES + chunk.length;
  const payload = data.subarray(HEADER_BYTES, end);
  return native.crc32(payload) === viewOf(data).getUint32(end, true) ? payload : null;
}

/** Every whole chunk of a file in memory, and how many bytes are no whole chunk. As `scan` in chunks.py does it. */
export function scan(native: Native, data: Uint8Array, start: number): { chunks: Chunk[]; lost: number } {
  const chunks: Chunk[] = [];
  let at = start, whole = 0, budget = SCAN_WORK * data.length + 2 ** 20;
  while (at < data.length) {
    const chunk = parseHeader(native, data, at, 0, data.length);
    if (chunk) {
      budget -= sizeOf(chunk);
      if (payloadOf(native, data.subarray(at), chunk)) {
        chunks.push(chunk);
        at += sizeOf(chunk);
        whole += sizeOf(chunk);
        continue;
      }
      if (budget < 0) {
        at += sizeOf(chunk);
        continue;
      }
    }
    at = data.indexOf(SYNC, at + 1);
    if (at < 0) break;
  }
  return { chunks, lost: data.length - start - whole };
}

export function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}
