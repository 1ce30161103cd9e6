"""Fits the small networks that weigh what motion recall finds (`hstmae/motion/combiner.npz`) on footage of many games.

    python scripts/record_games.py --out data/games
    python scripts/train_motion.py data/games --rows out/rows --out hstmae/motion/combiner.npz

Clips are damaged in many ways, those of every third game are compressed first as films are, and offers for some of the
missing pixels are gathered. `--rows` keeps them: an interrupted run goes on, and several processes with `--part K/N`
share the work. The error of every (clip, damage) counts by its logarithm, as decibels do, so that footage where nearly
everything is found weighs as much as footage where little is. There are three networks: for pixels that other frames
show at their place, for those that none shows there, and for frames that are lost whole, which is fitted to more of
their pixels, above all to those for which other frames offer several colours. `--only` fits some of them and takes the
others over from the file that is there. `--hold-out N` leaves every Nth game out, to measure on it.

    python scripts/train_motion.py data/preprocessed --model hst-mae-nano --rows out/sprites \\
        --out hstmae/motion/combiner.npz

fits two more, for footage without the scenery that a model's atlas knows (`hstmae.restoration.without_state`), on the
training recordings of its game; `--hold-out N` leaves every Nth recording out.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from motion_rows import DAMAGES, LOST, PIECES, gather
from torch import Tensor, nn

from hstmae.data.store.reader import EpisodeStore
from hstmae.motion import combiner
from hstmae.motion.features import COUNT, KINDS, MEAN, NEAREST, NUMBERS, SIDE, SMOOTH, USUAL, N

GROUPS, EACH = 20, 112  # (clip, damage) of a step, and pixels of each
FLOOR, OF_SPRITES_FLOOR = 0.3, 20.0  # squared error from which a better one counts less: 53 and 35 dB. Many games are
# judged by the mean of their decibels, clips of one game together: there the worst ones count
WIDTHS = (48, 24)
FEWEST = 60  # pixels of a (clip, damage) that is learned from
NETWORKS = {"seen": combiner.SEEN, "nowhere": combiner.NOWHERE, "lost": combiner.LOST}
OF_SPRITES = {"cleared": combiner.CLEARED, "cleared lost": combiner.CLEARED_LOST}  # where the scenery is known
CALM = {"seen": 0.6, "nowhere": 0.4, "lost": 0.4, "cleared": 0.6, "cleared lost": 0.7}  # scores are multiplied by it in
# use: of games that it was fitted on a network is surer than of others


class Rows:
    """All offers that were gathered."""

    def __init__(self, folder: Path) -> None:
        files = sorted(p for p in folder.glob("*.npz") if ".part" not in p.name)
        parts = [dict(np.load(file)) for file in files]
        whole = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
        self.group, self.count = whole["group"], whole["count"].astype(np.int64)
        self.start = np.concatenate([[0], np.cumsum(self.count)])
        self.numbers, self.rgb = torch.from_numpy(whole["numbers"]), torch.from_numpy(whole["rgb"])
        self.frame, self.weight = whole["frame"], whole["weight"]
        self.key, self.kind, self.truth = whole["key"], whole["kind"], whole["truth"]
        packed = self.truth.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        self.right = self.key == np.repeat(packed, self.count)
        inner = (self.kind > USUAL) & (self.kind < SIDE) | (self.kind > MEAN)  # asked where no frame shows a place
        self.nowhere = np.zeros(len(self.count), bool)
        self.nowhere[np.repeat(np.arange(len(self.count)), self.count)[inner]] = True

    def of(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of some pixels, and which of them each belongs to."""
        count = self.count[pixels]
        begin = np.cumsum(count) - count
        return np.repeat(self.start[pixels] - begin, count) + np.arange(count.sum()), np.repeat(
            np.arange(len(count)), count
        )


class Scorer(nn.Sequential):
    """lost: of lost frames. Whether before or after a gap is likelier is not to be learned from the few things that
    change in one only."""

    def __init__(self, lost: bool) -> None:
        super().__init__(
            nn.Linear(COUNT, WIDTHS[0]), nn.ReLU(), nn.Linear(WIDTHS[0], WIDTHS[1]), nn.ReLU(), nn.Linear(WIDTHS[1], 1)
        )
        self.sees = torch.ones(COUNT)
        self.sees[N["early"]] = not lost

    def shares(self, rows: Rows, pixels: np.ndarray) -> tuple[np.ndarray, Tensor, Tensor]:
        """Rows, which pixel each belongs to, and its share."""
        index, pixel = rows.of(pixels)
        own = torch.from_numpy(pixel)
        score = self(rows.numbers[index].float() * self.sees)[:, 0]
        top = torch.full((len(pixels),), -torch.inf).scatter_reduce(0, own, score.detach(), "amax")
        made = torch.exp(score - top[own])
        return index, own, made / torch.zeros(len(pixels)).index_add(0, own, made)[own]


def groups_of(rows: Rows, used: np.ndarray, which: str) -> list[np.ndarray]:
    """Pixels of each (clip, damage) that a network has to do with; used: bool [groups by number]."""
    own = used[rows.group] & (rows.nowhere == (which == "nowhere"))
    own &= (rows.group % len(DAMAGES) == LOST) == which.endswith("lost")
    pixels = np.flatnonzero(own)
    ends = np.flatnonzero(np.diff(rows.group[pixels])) + 1
    return [some for some in np.split(pixels, ends) if len(some) >= FEWEST]


def fit(rows: Rows, groups: list[np.ndarray], steps: int, lost: bool, floor: float = FLOOR) -> Scorer:
    torch.manual_seed(0)
    rng, scorer = np.random.default_rng(0), Scorer(lost)
    optimizer = torch.optim.AdamW(scorer.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    of_frame = torch.tensor([len(g) / len(np.unique(rows.frame[g])) for g in groups])  # pixels that stand for a frame
    began = time.monotonic()
    for step in range(steps):
        chosen = rng.choice(len(groups), min(GROUPS, len(groups)), replace=False)
        pixels = np.concatenate([rng.choice(groups[g], EACH) for g in chosen])
        index, own, share = scorer.shares(rows, pixels)
        mean = torch.zeros(len(pixels), 3).index_add(0, own, share[:, None] * rows.rgb[index].float())
        right = torch.zeros(len(pixels)).index_add(0, own, share * torch.from_numpy(rows.right[index]).float())
        weight = torch.from_numpy(rows.weight[pixels]).view(len(chosen), EACH)
        off = (mean - torch.from_numpy(rows.truth[pixels]).float()).square().mean(1).view(len(chosen), EACH)
        error = (off * weight).mean(1) * of_frame[chosen]  # of whole frames, whose other pixels are settled
        share_right = (right.view(len(chosen), EACH) * weight).sum(1) / weight.sum(1)
        loss = 0.5 * (error + floor).log().mean() - 0.3 * (share_right + 1e-3).log().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(scorer.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 500 == 499:
            print(f"step {step + 1}: loss {loss.item():.3f}, {time.monotonic() - began:.0f} s", flush=True)
    return scorer


def measure(rows: Rows, scorer: Scorer, groups: list[np.ndarray]) -> None:
    """Gain over the best of four fillers, chosen with the truth, by damage; scores as they were fitted, before CALM."""
    gains: dict[int, list[float]] = {}
    for pixels in groups:
        with torch.no_grad():
            index, own, share = scorer.shares(rows, pixels)
        mean = torch.zeros(len(pixels), 3).index_add(0, own, share[:, None] * rows.rgb[index].float())
        truth, weight = rows.truth[pixels].astype(np.float32), rows.weight[pixels]
        weight = weight / len(np.unique(rows.frame[pixels]))
        ours = decibels(mean.numpy() - truth, weight)
        best = max(decibels(filler(rows, index, own.numpy(), len(pixels), kinds) - truth, weight) for kinds in FILLERS)
        gains.setdefault(int(rows.group[pixels[0]]) % len(DAMAGES), []).append(ours - best)
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


def decibels(off: np.ndarray, weight: np.ndarray) -> float:
    """weight: float32 [n], the share of a frame that each of off, float32 [n, 3], stands for."""
    return float(10 * np.log10(255**2 / max(float(((off**2).mean(1) * weight).sum()), 0.1)))


def save(scorers: dict[str, Scorer], path: Path) -> None:
    """Networks that are not given are taken over from the file that is there, their inputs by name."""
    arrays, inputs = dict[str, np.ndarray](), [*KINDS, *NUMBERS]
    if path.exists():
        arrays = dict(np.load(path))
        known = [str(name) for name in arrays.pop("inputs")]
        for which in (NETWORKS | OF_SPRITES).values():
            if (name := f"{which}w0") in arrays:
                old = arrays[name]
                arrays[name] = np.zeros((COUNT, old.shape[1]), np.float32)
                for k, own in enumerate(inputs):
                    arrays[name][k] = old[known.index(own)] if own in known else 0
    for network, scorer in scorers.items():
        prefix = (NETWORKS | OF_SPRITES)[network]
        layers = [layer for layer in scorer if isinstance(layer, nn.Linear)]
        for k, layer in enumerate(layers):
            factor = np.float32(CALM[network] if k == len(layers) - 1 else 1)
            weight = layer.weight.detach() * (scorer.sees if not k else 1)
            arrays[f"{prefix}w{k}"] = weight.numpy().T * factor
            arrays[f"{prefix}b{k}"] = layer.bias.detach().numpy() * factor
    np.savez(path, inputs=np.array(inputs), **arrays)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--rows", type=Path, required=True, help="folder of what was gathered")
    parser.add_argument("--part", default="0/1", help="K/N: gather every Nth episode from the Kth on, and do not fit")
    parser.add_argument("--out", type=Path, help="weights to write")
    parser.add_argument("--model", help="whose atlas takes the scenery of its game away")
    parser.add_argument("--only", help=f"networks to fit, of {', '.join(NETWORKS)}; or with --model of "
                        f"{', '.join(OF_SPRITES)} (all)")  # fmt: skip
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--hold-out", type=int, default=0, help="leave every Nth game out of the fit")
    args = parser.parse_args()
    only = args.only.split(",") if args.only else list(OF_SPRITES if args.model else NETWORKS)
    if unknown := set(only) - set(OF_SPRITES if args.model else NETWORKS):
        parser.error(f"--only {','.join(sorted(unknown))}: not of these rows")
    part, parts = map(int, args.part.split("/"))
    gather(EpisodeStore(args.store), args.rows, part, parts, args.model)
    if parts > 1:
        return
    rows = Rows(args.rows)
    recording = np.arange(int(rows.group.max()) + 1) // len(DAMAGES) // PIECES
    game = recording if args.model else recording // 2  # two episodes of each
    held = game % args.hold_out == args.hold_out - 1 if args.hold_out else np.zeros(len(game), bool)
    scorers = {}
    for which in only:
        floor = OF_SPRITES_FLOOR if which in OF_SPRITES else FLOOR
        scorers[which] = fit(rows, groups_of(rows, ~held, which), args.steps, which.endswith("lost"), floor)
        measure(rows, scorers[which], groups_of(rows, held if args.hold_out else ~held, which))
    if args.out:
        save(scorers, args.out)


if __name__ == "__main__":
    main()
