/** A group's chunk taken apart. As unpack_gop in description.py does it. */
import { HASHED, NUMBERED, STEPPED, viewOf } from "./chunks.js";
import type { Chunk } from "./chunks.js";
import { MAX_DECODED, rawBytes } from "./description.js";
import type { Description } from "./description.js";
import { HstError } from "./errors.js";

const ABSENT = 0xffff_ffff;

export interface GopParts {
  numbers: Int32Array; // the recorder's number of each frame
  streams: Map<string, Uint8Array>;
  digest: Uint8Array; // of what it decodes to; empty = not stated
}

/** Throws HstError where the payload makes no sense, or would unpack to more than the limit. */
export function unpackGop(d: Description, chunk: Chunk, payload: Uint8Array): GopParts {
  if (!chunk.frames || rawBytes(d, chunk.frames) > MAX_DECODED) throw new HstError(`${d.name}: a group of ${chunk.frames} frames is beyond the limits`);
  try {
    return taken(d, chunk, payload);
  } catch (error) {
    if (error instanceof RangeError) throw new HstError(`${d.name}: a group's head is cut off`);
    throw error;
  }
}

function taken(d: Description, chunk: Chunk, payload: Uint8Array): GopParts {
  const view = viewOf(payload);
  let at = chunk.flags & HASHED ? 8 : 0;
  const digest = payload.slice(0, at);
  let step = 1;
  if (chunk.flags & STEPPED) {
    step = view.getUint16(at, true);
    at += 2;
  }
  const runs: [number, number][] = [];
  if (chunk.flags & NUMBERED) {
    const count = view.getUint16(at, true);
    for (let k = 0, from = at + 2; k < count; k++, from += 6) runs.push([view.getInt32(from, true), view.getUint16(from + 4, true)]);
    at += 2 + 6 * count;
  } else {
    runs.push([view.getInt32(at, true), chunk.frames]);
    at += 4;
  }
  const lengths = d.streams.map((_, k) => view.getUint32(at + 4 * k, true));
  at += 4 * lengths.length;
  const total = runs.reduce((sum, [, n]) => sum + n, 0);
  if (total !== chunk.frames || runs.some(([first, n]) => first < 0 || first + (n - 1) * step >= 2 ** 31)) throw new HstError(`${d.name}: a group's frame numbers make no sense`);
  const numbers = Int32Array.from(runs.flatMap(([first, n]) => Array.from({ length: n }, (_, k) => first + k * step)));
  if (numbers.some((number, k) => k > 0 && number <= numbers[k - 1]!)) throw new HstError(`${d.name}: a group's frame numbers do not ascend`);
  const streams = new Map<string, Uint8Array>();
  d.streams.forEach((name, k) => {
    const length = lengths[k]!;
    if (length === ABSENT) return;
    streams.set(name, payload.subarray(at, at + length));
    at += length;
  });
  if (at !== payload.length) throw new HstError(`${d.name}: a group's streams do not fill it`);
  return { numbers, streams, digest };
}
