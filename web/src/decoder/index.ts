/** The index at the end of a closed file: the table of all chunks before it. It saves a scan; nothing depends on it.
 *  Small files have none, and are gone through.
 */
import { HEADER_BYTES, MAX_CHUNKS, MAX_PAYLOAD, OVERHEAD, PREAMBLE_BYTES, parseHeader, payloadOf, sizeOf, viewOf } from "./chunks.js";
import type { Chunk } from "./chunks.js";
import { HstError } from "./errors.js";
import type { Native } from "./native.js";
import type { Source } from "./source.js";

const END_BYTES = OVERHEAD + 8;
const SMALL = 32 * 2 ** 10; // bytes of chunks up to which a file is closed without an index
const COLUMNS = 7; // offset, kind, length, episode, first, frames, flags

/** The table that a closed file states at its end; null where there is none that can be trusted. */
export async function findIndex(native: Native, source: Source): Promise<Chunk[] | null> {
  const small = source.size - OVERHEAD;
  if (small >= PREAMBLE_BYTES && small <= SMALL) {
    const whole = await source.read(0, source.size);
    const end = parseHeader(native, whole.subarray(small), 0, small, source.size);
    if (end && end.kind === "end" && end.length === 0 && payloadOf(native, whole.subarray(small), end)) {
      const table: Chunk[] = [];
      for (let at = PREAMBLE_BYTES; at < small; at += sizeOf(table[table.length - 1]!)) {
        const chunk = parseHeader(native, whole, at, 0, small);
        if (!chunk) return null;
        table.push(chunk);
      }
      return table;
    }
  }
  const at = source.size - END_BYTES;
  if (at < PREAMBLE_BYTES) return null;
  const last = await source.read(at, source.size);
  const end = parseHeader(native, last, 0, at, source.size);
  if (!end || end.kind !== "end" || end.length !== 8) return null;
  const stated = payloadOf(native, last, end);
  if (!stated) return null;
  const offset = Number(viewOf(stated).getBigUint64(0, true));
  if (offset + OVERHEAD > at) return null;
  const index = parseHeader(native, await source.read(offset, offset + HEADER_BYTES), 0, offset, source.size);
  if (!index || index.kind !== "idx" || offset + sizeOf(index) !== at) return null;
  const packed = payloadOf(native, await source.read(offset, at), index);
  return packed && unpackIndex(native, packed, offset);
}

function unpackIndex(native: Native, payload: Uint8Array, fileBytes: number): Chunk[] | null {
  if (payload.length < 4) return null;
  const count = viewOf(payload).getUint32(0, true);
  if (!count || count > Math.min(MAX_CHUNKS, Math.floor(fileBytes / OVERHEAD))) return null;
  const expected = count * COLUMNS * 8;
  let raw: Uint8Array;
  try {
    const unpacked = native.inflate(payload.subarray(4), expected);
    if (unpacked.data.length !== expected || unpacked.used !== payload.length - 4) return null;
    raw = unpacked.data;
  } catch (error) {
    if (error instanceof HstError) return null;
    throw error;
  }
  const table: Chunk[] = [];
  const sums = new BigUint64Array(COLUMNS);
  let end = PREAMBLE_BYTES;
  for (let i = 0; i < count; i++) {
    for (let column = 0; column < COLUMNS; column++) {
      let difference = 0n;
      for (let byte = 7; byte >= 0; byte--) difference = (difference << 8n) | BigInt(raw[(column * 8 + byte) * count + i]!);
      sums[column]! += difference; // modulo 2^64
    }
    if (sums[0]! > BigInt(fileBytes)) return null;
    const limits = [0, 32, 64, 32, 32, 16, 16];
    for (let column = 1; column < COLUMNS; column++) if (limits[column]! < 64 && sums[column]! >> BigInt(limits[column]!)) return null;
    const [at, kind, length, episode, first, frames, flags] = Array.from(sums, Number) as [number, number, number, number, number, number, number];
    if (at < end || length > MAX_PAYLOAD || at + length + OVERHEAD > fileBytes) return null;
    const letters = String.fromCharCode((kind >>> 8) & 255, (kind >>> 16) & 255, kind >>> 24);
    const chunk: Chunk = { at, kind: letters, length, episode, first, frames, flags };
    end = at + sizeOf(chunk);
    table.push(chunk);
  }
  return table;
}
