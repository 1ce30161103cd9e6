/** The tables that groups are decoded with: fetched once, whatever the number of files. */
import type { Description } from "./description.js";
import { HstError } from "./errors.js";
import { NEUTRAL, neutralTables, readTables, unpackFile } from "./models.js";
import type { Tables } from "./models.js";
import type { Native } from "./native.js";

/** Where tables come from: the file `name`.tables, which should have the SHA-256 `hash`. */
export interface TablesSource {
  /** The file. Throws HstError. */
  file(name: string, hash: string): Promise<Uint8Array>;
  /** The same unpacked, where that was kept before. */
  kept?(name: string, hash: string): Promise<Uint8Array | null>;
  keep?(name: string, hash: string, raw: Uint8Array): Promise<void>;
}

/** Of the streams of these tables, and of the file in which they are. */
const versionOf = (name: string): keyof typeof NEUTRAL => (name.endsWith("-1") ? 1 : name.endsWith("-2") ? 2 : name === NEUTRAL[4] ? 4 : 3);

export class Shelf {
  private readonly tables = new Map<string, Promise<Tables>>();

  constructor(readonly native: Native, private readonly source: TablesSource) {}

  /** The very tables that an episode was coded with. Throws HstError where they are not here. */
  async tablesOf(d: Description): Promise<Tables> {
    const { name, game, profile, tables, tablesHash } = d;
    if (profile !== "lossless" && profile !== "live") throw new HstError(`${name}: profile '${profile}' cannot be played in a browser; \`hstmae decode\` makes a film of it`);
    const neutral = Object.values<string>(NEUTRAL).includes(tables);
    if (!neutral && !/^[a-z0-9_-]{1,64}$/i.test(game)) throw new HstError(`${name}: there are no tables of a game '${game}'`);
    const version = versionOf(tables); // files of before have tables of their own
    const key = neutral ? tables : version < 3 ? `${game}-${version}` : game;
    let found = this.tables.get(key);
    if (!found) {
      found = neutral ? Promise.resolve(neutralTables(version)) : this.fetched(key, tablesHash);
      this.tables.set(key, found);
      found.catch(() => this.tables.delete(key));
    }
    const known = await found;
    if (known.hash !== tablesHash) throw new HstError(`${name}: was coded with '${tables}' (${tablesHash.slice(0, 12)}), here are others (${known.hash.slice(0, 12)}): play it with the version that made it`);
    return known;
  }

  private async fetched(name: string, hash: string): Promise<Tables> {
    const where = `${name}.tables`, { source } = this;
    const kept = await source.kept?.(name, hash);
    if (kept) return readTables({ version: versionOf(name), raw: kept, hash }, where);
    const unpacked = await unpackFile(this.native, await source.file(name, hash), where);
    if (unpacked.hash === hash) source.keep?.(name, hash, unpacked.raw).catch(() => {}); // there may be no room
    return readTables(unpacked, where);
  }
}
