// Single parts of what the package carries for browsers, for test_web_decoder.py: node parts.mjs STATIC, a request in
// JSON on stdin: {unpack: [{kind, data, dictionary, room}], memory: [[base64 of one row, ...], ...], sha256: [base64]}.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const statics = process.argv[2];
const hst = await import(pathToFileURL(join(statics, "hst-decoder.js")).href);
const native = await hst.Native.load(readFileSync(join(statics, "hst-kernel.wasm")));
const asked = JSON.parse(readFileSync(0, "utf8"));
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const hex = (...arrays) => arrays.reduce((hash, array) => hash.update(new Uint8Array(array.buffer)), createHash("sha256")).digest("hex");

function unpacked({ kind, data, dictionary, room }) {
  try {
    const found = kind === "zlib" ? native.inflate(bytes(data), room, bytes(dictionary)) : native.lzma2(bytes(data), room);
    return { data: Buffer.from(found.data).toString("base64"), used: found.used };
  } catch (error) {
    if (!(error instanceof hst.HstError)) throw error;
    return { error: error.message };
  }
}

function scenes(rows) {
  const maker = new hst.SmbScene();
  return rows.map((row) => {
    const scene = maker.next(bytes(row));
    return hex(scene.tiles, scene.corners, scene.sprites, scene.look, Uint8Array.of(scene.hint));
  });
}

function blake(data) {
  const running = new hst.Blake(native);
  const at = native.copyIn(data);
  for (let done = 0, step = 1; done < data.length; done += step, step = Math.min(step * 3, data.length - done)) running.add(at + done, step);
  const found = running.end();
  running.free();
  native.free(at);
  return Buffer.from(found).toString("hex");
}

const squash = hst.squashTable();
console.log(
  JSON.stringify({
    unpack: asked.unpack.map(unpacked),
    memory: asked.memory.map(scenes),
    maths: [hex(squash), hex(hst.stretchTable(squash))],
    hashes: asked.hashes.map((text) => [hst.ownSha256(bytes(text)), blake(bytes(text)), native.crc32(bytes(text))]),
  }),
);
