// Builds what the package carries into hstmae/serving/static (or the folder given): npm ci && npm run build.
// Needs Node, and clang 14 with lld, wasi-libc and libclang-rt-dev-wasm32 for the WebAssembly module.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const out = process.argv.slice(2).find((word) => !word.startsWith("--")) ?? join(root, "hstmae", "serving", "static");
const kernel = join("hstmae", "codec", "lossless");

const SOURCES = [
  ...["_kernel.c", "_rows.c", "_lines.c", "_guesses.c", "_picture.c", "_quiet.c", "_opinions.c", "_scene.c", "_places.c", "_colours.c", "_colours_dot.c"].map((name) => join(kernel, name)),
  ...readdirSync(join(here, "native")).filter((name) => name.endsWith(".c")).sort().map((name) => join("web", "native", name)),
];
const EXPORTS = ["malloc", "free", "hst_inflate", "hst_inflate_raw", "hst_lzma2", "hst_crc32", "hst_blake_size", "hst_blake_start",
  "hst_blake_add", "hst_blake_end", "hst_rows_open", "hst_rows_next", "hst_rows_close", "hst_pictures_open",
  "hst_pictures_next", "hst_pictures_close", "hst_pictures_look_back", "hst_rows_share", "hst_pictures_share", "hst_packets_open",
  "hst_packets_begin", "hst_packets_end", "hst_packets_close", "hst_colours_open", "hst_colours_band", "hst_colours_close"];

mkdirSync(out, { recursive: true });
if (!process.argv.includes("--no-wasm"))
  execFileSync("clang", ["--target=wasm32-wasi", "-O3", "-msimd128", "-mbulk-memory", "-mexec-model=reactor", "-fvisibility=hidden", "-Wall", "-Wextra",
    "-I", kernel, ...SOURCES, ...EXPORTS.map((name) => `-Wl,--export=${name}`), "-Wl,-z,stack-size=262144",
    "-Wl,--initial-memory=67108864", "-Wl,--max-memory=1073741824", "-Wl,--strip-all", "-o", join(out, "hst-kernel.wasm")],
    { cwd: root, stdio: "inherit" });
chmodSync(join(out, "hst-kernel.wasm"), 0o644);
// The worker uses the decoder, the page the player, as the files they are: each is loaded once.
const parts = {
  name: "parts",
  setup(made) {
    made.onResolve({ filter: /\/decoder\/main\.js$/ }, () => ({ path: "./hst-decoder.js", external: true }));
    made.onResolve({ filter: /\/player\/player\.js$/ }, () => ({ path: "./hst-player.js", external: true }));
  },
};
await build({
  absWorkingDir: here,
  entryPoints: {
    "hst-decoder": "src/decoder/main.ts",
    "hst-worker": "src/player/worker.ts",
    "hst-player": "src/player/player.ts",
    page: "src/page/page.ts",
    restore: "src/page/restore.ts",
  },
  plugins: [parts],
  outdir: out,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  logLevel: "warning",
});

for (const name of ["index.html", "restore.html", "page.css"]) copyFileSync(join(here, "src", "page", name), join(out, name));

// What it was built from: tests notice a source that has changed since, also where nothing can be built.
const read = (path) => readFileSync(join(root, path));
const scripts = readdirSync(join(here, "src"), { recursive: true }).filter((name) => /\.(ts|json|html|css)$/.test(name));
const headers = ["_kernel.h", "_rows.h", "_picture.h", "_colours.h"].map((name) => join(kernel, name));
const used = [...SOURCES, ...headers, ...scripts.map((name) => join("web", "src", name)), "web/build.mjs", "web/package-lock.json"];
const digest = createHash("sha256");
for (const path of used.map((name) => name.replaceAll("\\", "/")).sort()) digest.update(path).update(read(path));
writeFileSync(join(out, "built-from.json"), `${JSON.stringify({ sources: digest.digest("hex") })}\n`);
