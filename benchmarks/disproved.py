"""States that lie: frames whose memory is of another place, or whose picture is, and what that does to all the others.

    python benchmarks/disproved.py data/preprocessed --clips 24
    python benchmarks/disproved.py data/preprocessed --states full --checkpoint hst-mae-tiny

Clips of 16 frames, every fourth one of the recording, tubes at 90 %. For each kind of lie: PSNR over the hidden pixels
of the frames it befalls and over those of the others, pooled over the clips; the same of level "none", which reads no
state; the share of those frames that was noticed, and of the pixels of confidence 0.99 and more in them that are right.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hstmae.data.clips.clip import Clip
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.reader import EpisodeStore
from hstmae.evaluation.decibels import psnr
from hstmae.evaluation.metrics import squared_error
from hstmae.games import GameState, get_game
from hstmae.inference.loading import load
from hstmae.masks.tubes import numbered_tube

LENGTH = 16
SURE = 0.99
Case = tuple[str, np.ndarray, GameState, list[int]]  # what it is called, frames, their states, frames it befalls


def mixed(state: GameState, other: GameState, at: list[int], taken: list[int]) -> GameState:
    """`state`, with that of the frames `taken` of `other` at the frames `at`."""
    parts: list[np.ndarray] = []
    other.map(lambda array: parts.append(np.asarray(array)) or array)  # type: ignore[func-returns-value]
    rest = iter(parts)

    def replaced(array: np.ndarray) -> np.ndarray:
        made = np.array(array)
        made[at] = next(rest)[taken]
        return made

    return state.map(replaced)


def cases(clip: Clip, other: Clip) -> Iterator[Case]:
    """The clip as it is, and with each kind of lie; `other` is of another time."""
    assert clip.state is not None and other.state is not None
    frames, state = clip.frames, clip.state
    yield "nothing", frames, state, list(range(LENGTH))
    yield "memory of elsewhere, 1 frame", frames, mixed(state, other.state, [7], [3]), [7]
    yield "memory of elsewhere, 3 frames", frames, mixed(state, other.state, [7, 8, 9], [3, 4, 5]), [7, 8, 9]
    yield "memory of 12 frames later", frames, mixed(state, state, [7], [10]), [7]
    blank, strange, cut = (frames.copy() for _ in range(3))
    blank[7] = 13
    strange[7], cut[12:] = other.frames[7], other.frames[12:]
    yield "blank picture", blank, state, [7]
    yield "picture of elsewhere", strange, state, [7]
    yield "a cut in the pictures alone", cut, state, [12, 13, 14, 15]
    yield "memory of elsewhere, all", frames, other.state, list(range(LENGTH))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="written by `hstmae preprocess`")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--states", nargs="+", default=["full", "compact"], choices=("full", "compact"))
    parser.add_argument("--checkpoint", default="hst-mae-nano")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    store = EpisodeStore(args.store)
    clips = ClipDataset(store, clip=LENGTH, stride=get_game(store.game).stride, crop=0)
    places, restorer = clips.sequential(), load(args.checkpoint)
    chosen = np.random.default_rng(args.seed).choice(len(places), 2 * args.clips, replace=False).tolist()
    total: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(8))
    for number, another in tqdm(list(zip(chosen[::2], chosen[1::2], strict=True)), unit="clip"):
        clip, other = clips.clip(*places[number]), clips.clip(*places[another])
        mask = numbered_tube(clip.frames.shape, 0.9, args.seed, number)  # type: ignore[arg-type]
        palette = clip.palette
        assert palette is not None
        for name, frames, state, befallen in cases(clip, other):
            for level in (*args.states, "none"):
                made = restorer.restore_clip(frames, mask, state, level=level, palette=palette, origin=clip.origin)
                assert made.indices is not None and made.confidence is not None
                there = np.isin(np.arange(LENGTH), befallen)[:, None, None]
                sure = mask & there & (made.confidence >= SURE)
                noticed = 0 if made.disproved is None else int(made.disproved[befallen].sum())
                total[name, level] += [
                    squared_error(made.rgb, palette[frames], mask & there), (mask & there).sum(),
                    squared_error(made.rgb, palette[frames], mask & ~there), (mask & ~there).sum(),
                    noticed, len(befallen), (made.indices == frames)[sure].sum(), sure.sum(),
                ]  # fmt: skip
    print("| state | lie | frames it befalls, dB | `none` there | the others, dB | noticed | sure ones right |")
    print("|---|---|---|---|---|---|---|")
    for (name, level), (error, pixels, rest, others, noticed, frames_, right, sure_) in total.items():
        if level == "none":
            continue
        without = total[name, "none"]
        cells = [
            level, name, f"{psnr(error / pixels):.2f}", f"{psnr(without[0] / without[1]):.2f}",
            f"{psnr(rest / others):.2f}" if others else "-", f"{noticed / frames_:.0%}", f"{right / sure_:.2%}",
        ]  # fmt: skip
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
