"""One model in every runtime: size on disk, peak memory, CPU time a frame, and how its answer compares, in one run.

    python benchmarks/runtimes.py EXPORT [--model hst-mae-nano] [--frames 32] [--compile] [--json FILE]

EXPORT is made by `hstmae export MODEL --out EXPORT --int8`, with `--whole` for the rows with a head in the graph and
`--to onnx executorch litert` for those of phone runtimes, whose packages are found as `hstmae export` finds them. All
rows draw the hidden cubes of the same clips of the bundled sample session (tubes at 90 %, state `full`), one thread
each, in a process of its own for the memory. All but the `whole` rows draw with the compiled head, which is timed with
them; `up to head` is the time without it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hstmae.atomic import write_text
from hstmae.exporting.libraries import EXECUTORCH, LITERT
from hstmae.games import get_game
from hstmae.masks.tubes import TubeSpec, tube_mask
from hstmae.portable.cubes import visible_from_pixels
from hstmae.portable.folder import NETWORK, WHOLE, Export
from hstmae.portable.network import FULL, Network, feed_of, open_session, run_session

TORCH, COMPILED = "torch", "torch, compiled"
ROWS = (TORCH, COMPILED, "torch, whole", "onnx", "onnx int8", "onnx, whole", "onnx int8, whole", EXECUTORCH, LITERT)
PHONES = {EXECUTORCH: f"{NETWORK}_{EXECUTORCH}", LITERT: f"{NETWORK}_{LITERT}"}  # graphs of these rows
Draw = Callable[[np.ndarray, Any], np.ndarray]  # masked frames [T, H, W] and their state -> entries [Q, 2, 16, 16]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("export", type=Path)
    parser.add_argument("--model", default="hst-mae-nano")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--compile", action="store_true", help="also torch.compile, which takes minutes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(args.row, args.export, args.model, args.frames)))
        return
    wanted = [row for row in ROWS if is_there(row, Export(args.export), args.compile)]
    found: dict[str, dict[str, Any]] = {}
    for row in wanted:
        words = [
            sys.executable,
            __file__,
            str(args.export),
            "--model",
            args.model,
            "--frames",
            str(args.frames),
            "--row",
            row,
        ]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            print(f"{row}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        found[row] = json.loads(done.stdout.splitlines()[-1])
    truth = np.array(found[TORCH].pop("entries"))
    print(f"{'runtime':<20}{'MB':>8}{'peak MB':>9}{'ms/frame':>10}{'up to head':>12}{'as torch':>11}{'exact':>10}")
    for row, one in found.items():
        made = np.array(one.pop("entries", truth))
        one["as_torch"] = float((made == truth).mean())
        print(
            f"{row:<20}{one['bytes'] / 1e6:>8.1f}{one['peak_mb']:>9.0f}{one['ms_per_frame']:>10.1f}"
            f"{one['ms_up_to_head'] or float('nan'):>12.1f}{one['as_torch']:>11.5%}{one['exact']:>10.3%}"
        )
    if args.json:
        write_text(args.json, json.dumps(found, indent=1) + "\n")


def is_there(row: str, export: Export, compiled: bool) -> bool:
    """Whether the export holds what a row measures, and it was asked for."""
    if row in (TORCH, COMPILED):
        return row == TORCH or compiled
    graph = PHONES.get(row) or (WHOLE if row.endswith("whole") else NETWORK) + ("_int8" if "int8" in row else "")
    return graph in export.graphs


def measure(row: str, folder: Path, model: str, frames: int) -> dict[str, Any]:
    """One row: CPU milliseconds a frame (best of the clips but the first), peak memory, entries, how many are right."""
    from hstmae.exporting.golden import sample

    export = Export(folder)
    game, clip = get_game(export.config.game), export.clip
    footage = sample(export.config.game, frames)
    assert footage is not None
    pictures, state = footage
    hidden = np.broadcast_to(tube_mask(export.size, TubeSpec(0.9, 1)), (clip, *export.size))
    timed = Timed()
    draw, size = _torch(row, model, hidden) if row.startswith(TORCH) else _onnx(row, export, game, hidden, timed)
    from hstmae.portable.cubes import to_cubes

    queries = visible_from_pixels(hidden)[1]
    spent, entries, exact = [], [], []
    for start in range(0, frames - clip + 1, clip):
        part = pictures[start : start + clip]
        given = state.map(partial(_part, start, start + clip))
        began = time.process_time()
        made = draw(np.where(hidden, np.uint8(0), part), given)
        spent.append(time.process_time() - began)
        entries.append(made)
        exact.append((made == to_cubes(part).reshape(-1, 2, 16, 16)[queries]).mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {
        "bytes": size, "peak_mb": peak, "ms_per_frame": min(spent[1:] or spent) / clip * 1e3,
        "ms_up_to_head": min(timed.spent[1:] or timed.spent, default=0) / clip * 1e3 or None,
        "exact": float(np.mean(exact)), "entries": np.concatenate(entries)[:, :, ::5, ::5].ravel().tolist(),
    }  # fmt: skip


class Timed:
    """A session that remembers the CPU seconds of each call."""

    session: Any

    def __init__(self) -> None:
        self.spent: list[float] = []

    def get_inputs(self) -> list[Any]:
        return list(self.session.get_inputs())

    def run(self, names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        began = time.process_time()
        made = self.session.run(names, feed)
        self.spent.append(time.process_time() - began)
        return list(made)


def _part(start: int, end: int, array: np.ndarray) -> np.ndarray:
    return array[start:end]


def _torch(row: str, name: str, hidden: np.ndarray) -> tuple[Draw, int]:
    import torch

    from hstmae.model_folders import WEIGHTS, find_model
    from hstmae.models import MaskedClips, load_pretrained
    from hstmae.models.fast.head import FastHead

    torch.set_num_threads(1)
    model = load_pretrained(name)
    head = FastHead(model)
    if row == COMPILED:
        model.decode = torch.compile(model.decode)  # type: ignore[method-assign]
    seen, asked = (torch.from_numpy(a)[None] for a in visible_from_pixels(hidden))

    @torch.inference_mode()
    def draw(frames: np.ndarray, state: Any) -> np.ndarray:
        given = state.map(lambda a: torch.from_numpy(np.ascontiguousarray(a))[None])
        clips = MaskedClips(torch.from_numpy(frames)[None], seen, given)
        if row.endswith("whole"):
            return np.asarray(model(clips, asked).argmax(-1)[0].numpy())
        return np.asarray(head.paint(model.decode(clips, asked), model.palette).entry[0].numpy())

    return draw, (find_model(name) / WEIGHTS).stat().st_size


def _onnx(row: str, export: Export, game: Any, hidden: np.ndarray, timed: Timed) -> tuple[Draw, int]:
    seen, asked = visible_from_pixels(hidden)
    graph = PHONES.get(row) or (WHOLE if row.endswith("whole") else NETWORK) + ("_int8" if "int8" in row else "")
    size = export.manifest["bytes"][export.graphs[graph]["file"]]
    if row.endswith("whole"):
        session = open_session(export.graph(graph), 1)

        def whole(frames: np.ndarray, state: Any) -> np.ndarray:
            (logits,) = run_session(session, feed_of(frames, seen, asked, state, FULL, (0, 0)))
            return logits.argmax(-1)

        return whole, size
    if row in PHONES:
        from hstmae.exporting.phones import open_phone

        timed.session = open_phone(export.graphs[graph], export.folder)
    else:
        timed.session = open_session(export.graph(graph), 1)
    network = Network(export, game, graph, session=timed)
    return lambda frames, state: network.draw(frames, seen, asked, state, FULL, (0, 0), game.palette).entry, size


if __name__ == "__main__":
    main()
