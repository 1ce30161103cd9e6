"""How fast the browser plays: decoding in Chromium and Node beside Python, first frame, seeking.

    python benchmarks/browser.py                     # the bundled session
    python benchmarks/browser.py session.hst --json browser.json

Decoding in milliseconds of processor time per frame, on one core: the best of a few turns, so that a busy machine
matters less. First frame and seeking in milliseconds of wall time. Chromium by playwright (HSTMAE_CHROMIUM names the
program).
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from hstmae.bundled import SAMPLES
from hstmae.codec.session.reader import HstReader
from hstmae.output import write_result
from hstmae.serving.app import STATIC, TABLES, application
from hstmae.serving.listing import Folder

TURNS = 3

# Decoding alone, in the page and in Node: all groups, and how many frames they are.
DECODE = """
  let frames = 0;
  for (const entry of reader.entries)
    for (let k = 0; k < entry.gops.length; k++) {
      const group = await reader.group(entry, k);
      while (!group.done) group.next();
      frames += group.frames;
      group.free();
    }
"""
IN_NODE = f"""
import {{ readFileSync }} from "node:fs";
const [folder, tables, file] = process.argv.slice(2);
const hst = await import("file://" + folder + "/hst-decoder.js");
const native = await hst.Native.load(readFileSync(folder + "/hst-kernel.wasm"));
const source = {{ file: async (game) => new Uint8Array(readFileSync(`${{tables}}/${{game}}.tables`)) }};
const reader = await hst.HstReader.open(new hst.Shelf(native, source), new hst.MemorySource(readFileSync(file)));
let best = Infinity;
for (let turn = 0; turn <= {TURNS}; turn++) {{
  const before = process.cpuUsage(); {DECODE}
  const {{ user, system }} = process.cpuUsage(before);
  if (turn) best = Math.min(best, (user + system) / 1000 / frames); // the first compiles
}}
console.log(best);
"""
OPEN_IN_PAGE = """async (src) => {
  const hst = await import("/static/hst-decoder.js");
  const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
  const native = await hst.Native.load(await bytes("/static/hst-kernel.wasm"));
  const source = { file: (game) => bytes(`/static/tables/${game}.tables`) };
  window.reader = await hst.HstReader.open(new hst.Shelf(native, source), new hst.MemorySource(await bytes(src)));
}"""
DECODE_IN_PAGE = f"async () => {{ const reader = window.reader; {DECODE} return frames; }}"
FIRST = """() => new Promise((done) => {
  const look = () => (document.querySelector("hst-player")?.frame >= 0 ? done(performance.now()) : setTimeout(look, 2));
  look();
})"""
SEEK = """async ([src, turns]) => {
  const player = document.querySelector("hst-player"), found = [];
  player.removeAttribute("autoplay");
  const once = (name, accept, act) => new Promise((done) => {
    const listen = (event) => accept(event.detail) && (player.removeEventListener(name, listen), done());
    player.addEventListener(name, listen);
    act();
  });
  for (let turn = 0; turn < turns; turn++) {
    await once("hst-frame", () => true, () => player.setAttribute("src", src)); // nothing is decoded but the first
    const frame = Math.floor(((turn + 0.5) * player.length) / turns), start = performance.now();
    await once("hst-frame", (detail) => detail.index === frame, () => player.seek(frame));
    const cold = performance.now() - start;
    await once("hst-frame", (detail) => detail.index === 0, () => player.seek(0));
    const again = performance.now();
    await once("hst-frame", (detail) => detail.index === frame, () => player.seek(frame));
    found.push([cold, performance.now() - again]);
  }
  return found;
}"""


def python_ms(path: Path) -> float:
    best = float("inf")
    with HstReader(path) as reader:
        for _ in range(TURNS + 1):
            start = time.process_time()
            for position, entry in enumerate(reader.entries):
                for k in range(len(entry.gops)):
                    reader.groups.decode(position, k)
            best = min(best, (time.process_time() - start) * 1000 / len(reader))
    return best


def node_ms(path: Path) -> float | None:
    node = shutil.which("node")
    if node is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "decode.mjs"
        script.write_text(IN_NODE)
        command = [node, str(script), str(STATIC), str(TABLES), str(path.resolve())]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def in_chromium(path: Path, turns: int) -> dict[str, Any]:
    import uvicorn
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("HSTMAE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    with socket.create_server(("127.0.0.1", 0)) as listening, sync_playwright() as playwright:
        app = application(Folder(path.parent))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            url, src = f"http://127.0.0.1:{listening.getsockname()[1]}/", f"/files/{path.name}"
            page = browser.new_page()
            firsts = []
            for _ in range(4):
                page.goto(url)
                firsts.append(page.evaluate(FIRST))
            seeks = page.evaluate(SEEK, [src, turns])
            page.close()
            decode = _decoding(browser, url, src)
        finally:
            browser.close()
            server.should_exit = True
            thread.join()
    cold, warm = ([pair[k] for pair in seeks] for k in (0, 1))
    return {
        "decode_ms": decode,
        "first_frame_ms": {"cold": firsts[0], "cached": statistics.median(firsts[1:])},
        "seek_ms": {"median": statistics.median(cold), "most": max(cold), "decoded": statistics.median(warm)},
    }


def _decoding(browser: Any, url: str, src: str) -> float:
    """Milliseconds of processor time per frame, of all processes that show pages."""
    page, session, best = browser.new_page(), browser.new_browser_cdp_session(), float("inf")

    def spent() -> float:
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        return float(sum(process["cpuTime"] for process in processes if process["type"] == "renderer"))

    page.goto(url + "sessions.json")  # nothing plays there
    page.evaluate(OPEN_IN_PAGE, src)
    for turn in range(TURNS + 1):
        before = spent()
        frames = page.evaluate(DECODE_IN_PAGE)
        best = min(best, (spent() - before) * 1000 / frames) if turn else best  # the first compiles
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=SAMPLES / "sample_session.hst")
    parser.add_argument("--seeks", type=int, default=12, help="frames that are sought (default: 12)")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    figures: dict[str, Any] = {"file": args.file.name, "python_ms": python_ms(args.file), "node_ms": node_ms(args.file)}
    figures["chromium"] = in_chromium(args.file, args.seeks)
    figures["ratio_to_python"] = figures["chromium"]["decode_ms"] / figures["python_ms"]
    write_result(args.json, figures)
    sys.stdout.write("".join(f"{name:<16} {value}\n" for name, value in figures.items()) if args.json != "-" else "")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
