"""Fits the small network that weighs what motion recall finds (`hstmae/motion/combiner.npz`) on footage of many games.

    python scripts/record_games.py --out data/games
    python scripts/train_motion.py data/games --rows out/rows --out hstmae/motion/combiner.npz

Clips are damaged in many ways, those of every third game are compressed first as films are, and offers for some of the
missing pixels are gathered. `--rows` keeps them: an interrupted run goes on, and several processes with `--part K/N`
share the work. The error of every (clip, damage) counts by its logarithm, as decibels do, so that footage where nearly
everything is found weighs as much as footage where little is. `--hold-out N` leaves every Nth game out, to
measure on it.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hstmae.data.store.reader import EpisodeStore
from hstmae.masks.damage import block_damage, logo_damage, lost_frames, scratch_damage
from hstmae.motion.candidates import Points, Scene
from hstmae.motion.features import COUNT, KINDS, MEAN, NEAREST, NUMBERS, SMOOTH, USUAL, N
from hstmae.motion.recall import Around

FRAMES, SIDE = 96, 256  # of a clip
TESTED, PIXELS = 6, 240  # frames of a clip and damage, and missing pixels of each
DAMAGES = ("logo", "corner logo", "blocks", "rectangles", "scratches", "lost frames", "random", "tube")
GROUPS, EACH = 20, 112  # (clip, damage) of a step, and pixels of each
FLOOR = 0.3  # squared error from which a better one counts less: 53 dB
WIDTHS = (48, 24)
CALM = 0.6  # scores are multiplied by it in use: of games that it was fitted on the network is surer than of others


def damage(name: str, size: tuple[int, int, int], seed: int) -> np.ndarray:
    """bool [T, H, W], True = missing; shares and sizes are drawn."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    time_, height, width = size
    mask = np.zeros(size, bool)
    if name == "logo":
        area = rng.uniform(0.02, 0.1) * height * width
        rows = int(np.clip((area / rng.uniform(1, 3)) ** 0.5, 1, height))
        columns = int(np.clip(area / rows, 1, width))
        top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
        mask[:, top : top + rows, left : left + columns] = True
    elif name in ("blocks", "tube"):
        side, hold = int(rng.choice([8, 16, 24])), int(rng.choice([1, 1, 2, 4]))
        share, hold, side = (rng.uniform(0.04, 0.12), hold, side) if name == "blocks" else (0.9, 16, 16)
        for t in range(0, time_, hold):
            some = rng.random((-(-height // side), -(-width // side))) < share
            mask[t : t + hold] = some.repeat(side, 0).repeat(side, 1)[:height, :width]
    elif name == "random":
        mask = rng.random(size) < rng.uniform(0.3, 0.7)
    else:
        draw, share = {
            "corner logo": (logo_damage, 0.08),
            "rectangles": (block_damage, 0.08),
            "scratches": (scratch_damage, 0.03),
            "lost frames": (lost_frames, 0.375),
        }[name]
        mask = draw(size, share, generator).numpy()
    return mask


def compressed(frames: np.ndarray, crf: int) -> np.ndarray:
    """As a film of H.264 shows them; sides are cut to even numbers."""
    import av

    height, width = (n // 2 * 2 for n in frames.shape[1:3])
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as film:
        stream = film.add_stream("libx264", rate=30, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames[:, :height, :width]:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        film.mux(stream.encode())
    file.seek(0)
    with av.open(file) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])


def some_points(mask: np.ndarray, rng: np.random.Generator) -> Points:
    place = np.flatnonzero(mask)
    chosen = np.zeros(mask.size, bool)
    chosen[rng.choice(place, min(PIXELS, len(place)), replace=False)] = True
    return Points.of(chosen.reshape(mask.shape))


def rows_of(frames: np.ndarray, number: int) -> Iterator[dict[str, np.ndarray]]:
    """Offers for some missing pixels of every damage of a clip."""
    rng = np.random.default_rng(number)
    for k, name in enumerate(DAMAGES):
        mask = damage(name, frames.shape[:3], number * 100 + k)
        scene = Scene(np.where(mask[..., None], np.uint8(0), frames), mask)
        around = Around(scene)
        damaged = np.flatnonzero(mask.any((1, 2)))
        for t in rng.choice(damaged, min(TESTED, len(damaged)), replace=False).tolist():
            points = some_points(mask[t], rng)
            found = around.choices(t, points)
            count = np.diff(found.rows.start)
            if not len(count):
                continue
            yield {
                "group": np.full(len(count), number * len(DAMAGES) + k), "count": count.astype(np.int16),
                "truth": frames[t].reshape(-1, 3)[points.place[found.open]],
                "numbers": found.rows.numbers.astype(np.float16),
                "rgb": found.rows.rgb.astype(np.float16), "key": found.rows.key, "kind": found.rows.kind,
            }  # fmt: skip


def gather(store: EpisodeStore, folder: Path, part: int, parts: int) -> None:
    """One file for every episode that is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, info in enumerate(store.infos()):
        file = folder / f"{number:04d}.npz"
        if number % parts != part or file.exists():
            continue
        rng = np.random.default_rng(number)
        first = int(rng.integers(max(1, info.frames - FRAMES)))
        last = min(info.frames, first + FRAMES)
        frames = np.ascontiguousarray(store.read(number, range(first, last), columns=()).frames[:, :SIDE, :SIDE])
        if number // 2 % 3 == 2:
            frames = compressed(frames, int(rng.choice([18, 23, 28])))
        made = list(rows_of(frames, number))
        whole = {name: np.concatenate([one[name] for one in made]) for name in made[0]}
        np.savez_compressed(file.with_suffix(".part.npz"), **whole)  # type: ignore[arg-type]
        file.with_suffix(".part.npz").rename(file)
        print(f"{number + 1} of {len(store)}: {info.name}", flush=True)


class Rows:
    """All offers that were gathered."""

    def __init__(self, folder: Path) -> None:
        files = sorted(p for p in folder.glob("*.npz") if ".part" not in p.name)
        parts = [dict(np.load(file)) for file in files]
        whole = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
        self.group, self.count = whole["group"], whole["count"].astype(np.int64)
        self.start = np.concatenate([[0], np.cumsum(self.count)])
        self.numbers, self.rgb = torch.from_numpy(whole["numbers"]), torch.from_numpy(whole["rgb"])
        self.key, self.kind, self.truth = whole["key"], whole["kind"], whole["truth"]
        packed = self.truth.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        self.right = self.key == np.repeat(packed, self.count)

    def of(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of some pixels, and which of them each belongs to."""
        count = self.count[pixels]
        begin = np.cumsum(count) - count
        return np.repeat(self.start[pixels] - begin, count) + np.arange(count.sum()), np.repeat(
            np.arange(len(count)), count
        )


class Scorer(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Linear(COUNT, WIDTHS[0]), nn.ReLU(), nn.Linear(WIDTHS[0], WIDTHS[1]), nn.ReLU(), nn.Linear(WIDTHS[1], 1)
        )

    def shares(self, rows: Rows, pixels: np.ndarray) -> tuple[np.ndarray, Tensor, Tensor]:
        """Rows, which pixel each belongs to, and its share."""
        index, pixel = rows.of(pixels)
        own = torch.from_numpy(pixel)
        score = self(rows.numbers[index].float())[:, 0]
        top = torch.full((len(pixels),), -torch.inf).scatter_reduce(0, own, score.detach(), "amax")
        made = torch.exp(score - top[own])
        return index, own, made / torch.zeros(len(pixels)).index_add(0, own, made)[own]


def fit(rows: Rows, used: np.ndarray, steps: int) -> Scorer:
    """used: bool [groups by number]."""
    torch.manual_seed(0)
    rng, scorer = np.random.default_rng(0), Scorer()
    optimizer = torch.optim.AdamW(scorer.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    groups = [np.flatnonzero(rows.group == g) for g in np.unique(rows.group) if used[g]]
    began = time.monotonic()
    for step in range(steps):
        chosen = rng.choice(len(groups), min(GROUPS, len(groups)), replace=False)
        pixels = np.concatenate([rng.choice(groups[g], EACH) for g in chosen])
        index, own, share = scorer.shares(rows, pixels)
        mean = torch.zeros(len(pixels), 3).index_add(0, own, share[:, None] * rows.rgb[index].float())
        right = torch.zeros(len(pixels)).index_add(0, own, share * torch.from_numpy(rows.right[index]).float())
        error = (mean - torch.from_numpy(rows.truth[pixels]).float()).square().mean(1).view(len(chosen), EACH).mean(1)
        loss = 0.5 * (error + FLOOR).log().mean() - 0.3 * (right + 1e-3).log().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(scorer.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 500 == 499:
            print(f"step {step + 1}: loss {loss.item():.3f}, {time.monotonic() - began:.0f} s", flush=True)
    return scorer


def measure(rows: Rows, scorer: Scorer, used: np.ndarray) -> None:
    """Gain over the best of four fillers, chosen with the truth, by damage, over the games that are `used`; scores as
    they were fitted, before CALM."""
    gains: dict[int, list[float]] = {}
    for group in np.unique(rows.group):
        if not used[group]:
            continue
        pixels = np.flatnonzero(rows.group == group)
        with torch.no_grad():
            index, own, share = scorer.shares(rows, pixels)
        mean = torch.zeros(len(pixels), 3).index_add(0, own, share[:, None] * rows.rgb[index].float())
        truth = rows.truth[pixels].astype(np.float32)
        ours = decibels(mean.numpy() - truth)
        best = max(decibels(filler(rows, index, own.numpy(), len(pixels), kinds) - truth) for kinds in FILLERS)
        gains.setdefault(int(group) % len(DAMAGES), []).append(ours - best)
    for k, values in sorted(gains.items()):
        low = np.mean(np.array(values) < -0.3)
        print(f"{DAMAGES[k]:12s} mean gain {np.mean(values):+.2f}, median {np.median(values):+.2f}, worst "
              f"{min(values):+.2f}, below -0.3 dB {low:.1%} of {len(values)}")  # fmt: skip


FILLERS = ((0, 3, NEAREST), (USUAL,), (SMOOTH,), ())  # nearest in time, median, smooth, mean colour


def filler(rows: Rows, index: np.ndarray, own: np.ndarray, count: int, kinds: tuple[int, ...]) -> np.ndarray:
    """What one filler draws; the mean colour where it has nothing. Offers of one kind are sorted by distance."""
    made = np.zeros((count, 3), np.float32)
    for some in ((MEAN,), kinds):
        at = np.flatnonzero(np.isin(rows.kind[index], some))
        at = at[np.argsort(-rows.numbers[index[at], N["distance"]].float().numpy(), kind="stable")]
        made[own[at]] = rows.rgb[index[at]].float().numpy()  # the last one, which is the nearest, stays
    return made


def decibels(off: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(float((off**2).mean()), 0.1)))


def save(scorer: Scorer, path: Path) -> None:
    layers = [layer for layer in scorer if isinstance(layer, nn.Linear)]
    arrays = {f"w{k}": layer.weight.detach().numpy().T.copy() for k, layer in enumerate(layers)}
    arrays |= {f"b{k}": layer.bias.detach().numpy() for k, layer in enumerate(layers)}
    for name in (f"w{len(layers) - 1}", f"b{len(layers) - 1}"):
        arrays[name] = arrays[name] * np.float32(CALM)
    np.savez(path, inputs=np.array([*KINDS, *NUMBERS]), **arrays)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--rows", type=Path, required=True, help="folder of what was gathered")
    parser.add_argument("--part", default="0/1", help="K/N: gather every Nth episode from the Kth on, and do not fit")
    parser.add_argument("--out", type=Path, help="weights to write")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--hold-out", type=int, default=0, help="leave every Nth game out of the fit")
    args = parser.parse_args()
    part, parts = map(int, args.part.split("/"))
    gather(EpisodeStore(args.store), args.rows, part, parts)
    if parts > 1:
        return
    rows = Rows(args.rows)
    game = np.arange(int(rows.group.max()) + 1) // len(DAMAGES) // 2  # two episodes of each
    held = game % args.hold_out == args.hold_out - 1 if args.hold_out else np.zeros(len(game), bool)
    scorer = fit(rows, ~held, args.steps)
    measure(rows, scorer, held if args.hold_out else ~held)
    if args.out:
        save(scorer, args.out)


if __name__ == "__main__":
    main()
