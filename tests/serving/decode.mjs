// Decodes .hst files with what the package carries for browsers: node decode.mjs STATIC TABLES FILE ...
// Prints one line of JSON per file: {episodes: [{name, frames: [sha256 of pixels, memory, buttons, number]}]} or {error}.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [statics, tables, ...files] = process.argv.slice(2);
const { HstError, HstReader, MemorySource, Native, Shelf } = await import(pathToFileURL(join(statics, "hst-decoder.js")).href);
const native = await Native.load(readFileSync(join(statics, "hst-kernel.wasm")));
const table = async (game) => {
  const path = join(tables, `${game}.tables`);
  if (!existsSync(path)) throw new HstError(`there are no tables of '${game}'`);
  return new Uint8Array(readFileSync(path));
};
const shelf = new Shelf(native, { file: table });

function hashOf(frame) {
  const hash = createHash("sha256");
  for (const part of [frame.pixels, frame.memory, frame.buttons]) hash.update(part ?? "-");
  return hash.update(String(frame.number)).digest("hex");
}

for (const file of files) {
  try {
    const reader = await HstReader.open(shelf, new MemorySource(new Uint8Array(readFileSync(file))));
    const episodes = [];
    let spent = 0;
    for (const entry of reader.entries) {
      const frames = [];
      for (let k = 0; k < entry.gops.length; k++) {
        let start = performance.now();
        for await (const frame of reader.frames(entry, k)) {
          spent += performance.now() - start;
          frames.push(hashOf(frame));
          start = performance.now();
        }
        spent += performance.now() - start;
      }
      episodes.push({ name: entry.description.name, frames });
    }
    console.log(JSON.stringify({ episodes, ms: spent, damaged: reader.contents.damaged }));
  } catch (error) {
    if (!(error instanceof HstError)) throw error;
    console.log(JSON.stringify({ error: error.message }));
  }
}
