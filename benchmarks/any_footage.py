"""Footage of games that nothing was trained on: what restoration without a model gains over simple fillers.

    python scripts/record_games.py --out data/test_games --tests --frames 120 --episodes 3
    python benchmarks/any_footage.py data/test_games --out out/any_footage.jsonl
    python benchmarks/any_footage.py data/test_games --out out/any_footage.jsonl --table docs/any-footage-table.md

Every episode of the store is a clip. Each is damaged in six ways with `--seeds` seeds each, and restored by motion
recall (mean colours, and exact ones) and by every filler; PSNR in RGB over the missing pixels of the clip, pooled, and
the share of them that is exactly right. The best filler is chosen with the truth, for each game and damage. Pixels
"shown nowhere" are those that no frame of the clip shows at their place. Goes on where it was when it is run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from hstmae.atomic import write_text
from hstmae.data.store.reader import EpisodeStore
from hstmae.masks.damage import lost_frames, scratch_damage
from hstmae.motion.recall import Mode
from hstmae.restoration.anything import AnythingRestorer

FRAMES = 120
CEILING = 0.1  # mean squared error that is counted at least: 58 dB, so that one perfect clip does not decide a mean
METHODS = {"recall": Mode(), "recall, exact": Mode(exact=True), "recall, no self-test": Mode(gate=False)}
Size = tuple[int, int, int]


def logo(size: Size, seed: int) -> np.ndarray:
    """A rectangle of 8 % of the picture at one place in all frames."""
    rng = np.random.default_rng(seed)
    _, height, width = size
    rows = int(np.clip(round((0.08 * height * width / rng.uniform(1, 2.5)) ** 0.5), 1, height))
    columns = min(width, round(0.08 * height * width / rows))
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    mask = np.zeros(size, bool)
    mask[:, top : top + rows, left : left + columns] = True
    return mask


def blocks(size: Size, seed: int) -> np.ndarray:
    """Squares of 16 pixels, 8 % of them in each frame, each frame anew."""
    return _cells(size, seed, 0.08, 1)


def tube(size: Size, seed: int) -> np.ndarray:
    """90 % of the squares of 16 pixels, others every 16 frames."""
    return _cells(size, seed, 0.9, 16)


def _cells(size: Size, seed: int, share: float, hold: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time_, height, width = size
    mask = np.zeros(size, bool)
    for t in range(0, time_, hold):
        some = rng.random((-(-height // 16), -(-width // 16))) < share
        mask[t : t + hold] = some.repeat(16, 0).repeat(16, 1)[:height, :width]
    return mask


def scratches(size: Size, seed: int) -> np.ndarray:
    return np.asarray(scratch_damage(size, 0.03, torch.Generator().manual_seed(seed)))


def lost(size: Size, seed: int) -> np.ndarray:
    """6 of 16 frames, in bursts of up to six."""
    return np.asarray(lost_frames(size, 6 / 16, torch.Generator().manual_seed(seed)))


def random(size: Size, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(size) < 0.5


DAMAGES: dict[str, Callable[[Size, int], np.ndarray]] = {
    "logo": logo, "blocks": blocks, "scratches": scratches,
    "lost frames": lost, "random 50 %": random, "tube 90 %": tube,
}  # fmt: skip


def fillers(frames: np.ndarray, mask: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(name, uint8 [T, H, W, 3]) of each; what the two in time find nowhere, the one of Telea draws."""
    mean = np.rint(frames[~mask].mean(0)).astype(np.uint8)
    drawn = {}
    for name, how in (("Telea", cv2.INPAINT_TELEA), ("Navier-Stokes", cv2.INPAINT_NS)):
        drawn[name] = np.stack([
            np.broadcast_to(mean, f.shape) if m.all() else cv2.inpaint(f, m.astype(np.uint8), 3, how)
            for f, m in zip(frames, mask, strict=True)
        ])  # fmt: skip
        yield name, drawn[name]
    yield "nearest in time", _nearest(frames, mask, drawn["Telea"])
    yield "median in time", _median(frames, mask, drawn["Telea"])
    yield "mean colour", np.broadcast_to(mean, frames.shape)


def _median(frames: np.ndarray, mask: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """Of what is seen at each place; of two middle ones the mean."""
    value, count = np.where(mask[..., None], np.uint16(1000), frames), (~mask).sum(0)[None, ..., None]
    value.sort(0)
    middle = [np.take_along_axis(value, np.maximum(k, 0), 0)[0] for k in ((count - 1) // 2, count // 2)]
    made = ((middle[0] + middle[1]) // 2).astype(np.uint8)
    return np.where(count[0] > 0, made, fallback)


def _nearest(frames: np.ndarray, mask: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """Of two frames equally near the earlier one."""
    made, count = fallback.copy(), len(frames)
    for t in range(count):
        open_ = mask[t].copy()
        for k in range(1, count):
            for s in (t - k, t + k):
                if 0 <= s < count:
                    take = open_ & ~mask[s]
                    made[t][take] = frames[s][take]
                    open_ &= mask[s]
            if not open_.any():
                break
    return made


def measured(made: np.ndarray, truth: np.ndarray, where: np.ndarray) -> dict[str, float]:
    """Squared error and exactly right pixels of bool [T, H, W], summed."""
    a, b = made[where], truth[where]
    squared = float(((a.astype(np.int32) - b) ** 2).sum()) / 3
    return {"squared": squared, "exact": int((a == b).all(-1).sum()), "pixels": len(b)}


def clip(frames: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    """Figures of all methods on one damaged clip."""
    seen = np.where(mask[..., None], np.uint8(0), frames)
    nowhere = mask & mask.all(0)
    row: dict[str, Any] = {"methods": {}, "nowhere": {}}
    made = dict(fillers(seen, mask))
    for name, mode in METHODS.items():
        began = time.perf_counter()
        made[name] = AnythingRestorer(mode).restore(seen, mask).rgb
        row.setdefault("seconds", {})[name] = time.perf_counter() - began
    for name, rgb in made.items():
        assert name not in METHODS or (rgb[~mask] == frames[~mask]).all(), "a visible pixel was changed"
        row["methods"][name] = measured(rgb, frames, mask)
        if nowhere.any():
            row["nowhere"][name] = measured(rgb, frames, nowhere)
    return row


def psnr(rows: list[dict[str, float]]) -> float:
    error = sum(r["squared"] for r in rows) / sum(r["pixels"] for r in rows)
    return float(10 * np.log10(255**2 / max(error, CEILING)))


def table(rows: list[dict[str, Any]]) -> str:
    """One line for each game, gains over the best filler; and what must hold, below."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        cells[row["game"], row["damage"]].append(row)
    games = sorted({game for game, _ in cells})
    lines = ["| game | " + " | ".join(DAMAGES) + " |", "|---" * (len(DAMAGES) + 1) + "|"]
    gains: dict[str, list[float]] = defaultdict(list)
    others: dict[tuple[str, str], list[float]] = defaultdict(list)
    spatial: dict[str, list[float]] = defaultdict(list)
    for game in games:
        shown = [game]
        for damage in DAMAGES:
            own = cells.get((game, damage), [])
            if not own:
                shown.append("-")
                continue
            figure = {name: psnr([r["methods"][name] for r in own]) for name in own[0]["methods"]}
            best = max((n for n in figure if n not in METHODS), key=lambda n: figure[n])
            gains[damage].append(figure["recall"] - figure[best])
            for name in METHODS:
                others[damage, name].append(figure[name] - figure[best])
            hidden = [r["nowhere"] for r in own if r["nowhere"]]
            if hidden:
                some = {
                    name: psnr([r[name] for r in hidden])
                    for name in ("recall", "Telea", "Navier-Stokes", "mean colour")
                }
                spatial[damage].append(some.pop("recall") - max(some.values()))
            exact = sum(r["methods"]["recall, exact"]["exact"] for r in own) / sum(
                r["methods"]["recall"]["pixels"] for r in own
            )
            shown.append(f"{best} {figure[best]:.1f} -> **{figure['recall']:.1f}** ({exact:.1%})")
        lines.append("| " + " | ".join(shown) + " |")

    def line(name: str, values: Callable[[str], str]) -> None:
        lines.append(f"| {name} | " + " | ".join(values(d) if gains[d] else "-" for d in DAMAGES) + " |")

    line("mean gain", lambda d: f"**{np.mean(gains[d]):+.2f}**")
    line("median gain", lambda d: f"{np.median(gains[d]):+.2f}")
    line("worst", lambda d: f"{min(gains[d]):+.2f}")
    line("cells below -0.3 dB", lambda d: f"{np.mean(np.array(gains[d]) < -0.3):.1%}")
    for name in list(METHODS)[1:]:
        line(f"mean gain, {name}", partial(_mean_of, others, name))
    line("shown nowhere, over the best spatial filler", lambda d: f"{np.mean(spatial[d]):+.2f}" if spatial[d] else "-")
    return "\n".join(lines)


def _mean_of(others: dict[tuple[str, str], list[float]], method: str, damage: str) -> str:
    return f"{np.mean(others[damage, method]):+.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines of results, continued")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--games", default="", help="only games whose names begin with one of these, a comma between")
    parser.add_argument("--clips", type=int, default=3, help="episodes of each game")
    parser.add_argument("--damages", default="", help="only these")
    parser.add_argument("--table", type=Path, help="also write the table")
    args = parser.parse_args()
    store = EpisodeStore(args.store)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {(r["episode"], r["damage"], r["seed"]) for r in rows}
    todo = []
    count: dict[str, int] = defaultdict(int)
    for info in store.infos():
        game = info.name.rpartition("_s")[0].removeprefix("ALE-").removesuffix("-v5")
        if args.games and not game.lower().startswith(tuple(args.games.lower().split(","))):
            continue
        count[game] += 1
        if count[game] <= args.clips:
            todo += [(game, info.name, d, s) for d in DAMAGES for s in range(args.seeds)
                     if (not args.damages or d in args.damages) and (info.name, d, s) not in done]  # fmt: skip
    with args.out.open("a") as file:
        for game, name, damage, seed in tqdm(todo):
            frames = store.read(name, range(min(FRAMES, store.info(name).frames)), columns=()).frames
            mask = DAMAGES[damage](frames.shape[:3], seed)
            row = {"game": game, "episode": name, "damage": damage, "seed": seed, **clip(frames, mask)}
            rows.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
    text = table(rows)
    print(text)
    if args.table:
        write_text(args.table, text + "\n")


if __name__ == "__main__":
    main()
