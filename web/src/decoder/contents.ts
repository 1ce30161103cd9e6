/** What a .hst file holds: its chunks sorted into episodes, from its index or, where that fails, by scanning it. */
import { FINAL, GROUPS, KNOWN, NO_EPISODE, PREAMBLE_BYTES, checkPreamble, critical, payloadOf, scan, sizeOf } from "./chunks.js";
import type { Chunk } from "./chunks.js";
import { unpackDescription } from "./description.js";
import type { Description } from "./description.js";
import { HstError } from "./errors.js";
import { findIndex } from "./index.js";
import type { Native } from "./native.js";
import type { Source } from "./source.js";

const MAX_SCANNED = 512 * 2 ** 20; // bytes of a file without an index, which has to be in memory

export interface Entry {
  description: Description;
  gops: Chunk[]; // in order, none overlapping another
  frames: number; // that are there
  lost: number; // frames that the episode had and the file has no longer
}

export interface Contents {
  entries: Entry[];
  damaged: string[]; // what could not be used
}

/** Throws HstError: no .hst file, one of a later version, or one without any episode that can be read. */
export async function readContents(native: Native, source: Source): Promise<Contents> {
  checkPreamble(native, await source.read(0, Math.min(PREAMBLE_BYTES, source.size)));
  const table = await findIndex(native, source);
  if (table) {
    const found = await sorted(native, source, table).catch((error: unknown) => {
      if (error instanceof HstError) return null;
      throw error;
    });
    if (found && !found.damaged.length) return nonempty(found);
  }
  if (source.size > MAX_SCANNED) throw new HstError("has no index that can be used and is too large to be scanned here: `hstmae recover` makes a file with one");
  const { chunks, lost } = scan(native, await source.read(0, source.size), PREAMBLE_BYTES);
  const found = await sorted(native, source, chunks);
  if (lost) found.damaged.push(`${lost.toLocaleString("en")} bytes are damaged`);
  return nonempty(found);
}

function nonempty(contents: Contents): Contents {
  if (!contents.entries.length) throw new HstError("holds no episode that can be read");
  return contents;
}

async function sorted(native: Native, source: Source, table: Chunk[]): Promise<Contents> {
  const episodes = new Map<number, { description?: Description; final: boolean; gops: Chunk[] }>();
  const damaged: string[] = [];
  for (const chunk of table) {
    if (!KNOWN.includes(chunk.kind)) {
      if (critical(chunk)) throw new HstError(`chunk ${chunk.kind} at byte ${chunk.at} needs a later version to be read`);
      continue;
    }
    if (chunk.episode === NO_EPISODE) continue;
    let entry = episodes.get(chunk.episode);
    if (!entry) episodes.set(chunk.episode, (entry = { final: false, gops: [] }));
    if (GROUPS.includes(chunk.kind)) entry.gops.push(chunk);
    if (chunk.kind !== "EPI") continue;
    const payload = payloadOf(native, await source.read(chunk.at, chunk.at + sizeOf(chunk)), chunk);
    if (!payload) {
      damaged.push(`chunk EPI at byte ${chunk.at} is damaged`);
      continue;
    }
    const final = (chunk.flags & FINAL) > 0;
    try {
      const description = unpackDescription(native, payload);
      if (!entry.description || (final && !entry.final)) Object.assign(entry, { description, final });
    } catch (error) {
      if (!(error instanceof HstError)) throw error;
      damaged.push(`${error.message} at byte ${chunk.at}`);
    }
  }
  const entries: Entry[] = [];
  for (const number of [...episodes.keys()].sort((a, b) => a - b)) {
    const { description, final, gops } = episodes.get(number)!;
    const kept = inOrder(gops, damaged);
    if (!description || !kept.length) continue;
    const frames = kept.reduce((sum, gop) => sum + gop.frames, 0);
    const last = kept[kept.length - 1]!;
    const whole = Math.max(final ? description.frames : 0, last.first + last.frames);
    entries.push({ description, gops: kept, frames, lost: whole - frames });
  }
  return { entries, damaged };
}

/** Sorted by first frame. Where two groups overlap, which only damage explains, the one found first stays. */
function inOrder(gops: Chunk[], damaged: string[]): Chunk[] {
  const kept: Chunk[] = [];
  let end = 0;
  for (const gop of [...gops].sort((a, b) => a.first - b.first || a.at - b.at)) {
    if (!gop.frames || gop.first < end) {
      damaged.push(`the group at byte ${gop.at} repeats frames of another`);
      continue;
    }
    kept.push(gop);
    end = gop.first + gop.frames;
  }
  return kept;
}
