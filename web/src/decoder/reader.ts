/** A .hst file: its episodes, and their groups decoded when they are asked for. As HstReader in reader.py. */
import { parseHeader, payloadOf, sameChunk, sizeOf } from "./chunks.js";
import { readContents } from "./contents.js";
import type { Contents, Entry } from "./contents.js";
import { HstError } from "./errors.js";
import { GroupDecoder } from "./group.js";
import type { Frame } from "./group.js";
import type { Native } from "./native.js";
import { unpackGop } from "./parts.js";
import { sceneMaker } from "./scene.js";
import type { Shelf } from "./shelf.js";
import type { Source } from "./source.js";

export class HstReader {
  private readonly native: Native;

  private constructor(private readonly shelf: Shelf, private readonly source: Source, readonly contents: Contents) {
    this.native = shelf.native;
  }

  /** Throws HstError: no .hst file, one of a later version, or one without any episode that can be read. */
  static async open(shelf: Shelf, source: Source): Promise<HstReader> {
    return new HstReader(shelf, source, await readContents(shelf.native, source));
  }

  get entries(): Entry[] {
    return this.contents.entries;
  }

  /** Group `k` of an episode. Throws HstError where it is damaged, or what decodes it is not here. */
  async group(entry: Entry, k: number): Promise<GroupDecoder> {
    const d = entry.description, chunk = entry.gops[k]!;
    const tables = await this.shelf.tablesOf(d);
    const data = await this.source.read(chunk.at, chunk.at + sizeOf(chunk));
    const stated = parseHeader(this.native, data, 0, chunk.at, this.source.size); // the index is no more than a hint
    const payload = stated && sameChunk(stated, chunk) ? payloadOf(this.native, data, chunk) : null;
    if (!payload) throw new HstError(`${d.name}: frames ${chunk.first} to ${chunk.first + chunk.frames - 1} are damaged; \`hstmae recover\` makes a file of the rest`);
    return new GroupDecoder(this.native, tables, d, chunk.frames, unpackGop(d, chunk, payload));
  }

  /**
   * The frames of a group from its first on. Where it is not certain that this player reads the game's memory as Python
   * does, all are decoded, and the hash compared, before the first is given.
   */
  async *frames(entry: Entry, k: number): AsyncGenerator<Frame> {
    const group = await this.group(entry, k);
    try {
      if (sceneMaker(entry.description).sure) {
        while (!group.done) yield group.next();
      } else {
        const all: Frame[] = [];
        while (!group.done) all.push(group.next());
        yield* all;
      }
    } finally {
      group.free();
    }
  }
}
