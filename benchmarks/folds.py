"""How well levels are restored that nothing was learned from: leave-levels-out, the mean and the worst level.

    python benchmarks/folds.py data/preprocessed --out out/folds --clips 4
    python benchmarks/folds.py data/preprocessed --out out/folds --clips 4 --checkpoint 0=runs/fold0 --table folds.md
    python benchmarks/folds.py data/preprocessed --out out/episodes --by episodes --folds 0

Fold k of 3 leaves out every third level, from the k-th on. The atlas (maps, looks of tiles and objects, tables of
trust) is learned from the other levels, and loses every map that a level left out shows, since levels share some. Clips
of the levels left out are restored by the atlas alone (what it does not know gets the clip's most frequent visible
colour), and by a network: that of `--checkpoint K=MODEL`, trained without fold K's levels, or else the bundled one, of
which the table says that it has seen them; its place memory is emptied. With `--by episodes` recordings are left out
instead, every third of a level: unseen play on known maps.

Tubes at 90 %, hidden pixels alone, PSNR pooled over a level's clips; `mean` is the mean over levels of at most 60 dB
each. Pixels of confidence 0.99 and more are counted with the share of them that is right. Results are kept line by line
in results.jsonl, atlases beside it, and a run goes on where it was: give new code a new folder, and `--atlases` the old
one's where nothing that is learned has changed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hstmae.atlas.known_pixels import Known, known_pixels
from hstmae.atlas.learning.learn import build_atlas, frames_to_read
from hstmae.atlas.locate import Locator
from hstmae.atlas.maps import Atlas
from hstmae.atomic import write_text
from hstmae.data.clips.clip import Clip
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.reader import EpisodeStore
from hstmae.evaluation.decibels import psnr
from hstmae.evaluation.fillers import mode_colour
from hstmae.evaluation.metrics import squared_error
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.inference.loading import load
from hstmae.masks.tubes import numbered_tube
from hstmae.models.state.place_memory import PlaceMemory
from hstmae.restoration.mixing import mix
from hstmae.restoration.restorer import Restorer
from hstmae.restoration.result import Restoration
from hstmae.restoration.without_state import known_without_state

FOLDS = 3
STATES = ("full", "compact", "none")
BUNDLED = "hst-mae-nano"
ALONE = "atlas alone"
MOST = 60.0  # dB that a level counts at most, so that one without errors does not decide a mean
SURE = 0.99


@dataclass(frozen=True)
class Fold:
    """One fold: its number, the positions in the store of the episodes left out, by level, and all of them."""

    number: int
    left_out: dict[str, list[int]]

    @property
    def episodes(self) -> list[int]:
        return sorted(itertools.chain(*self.left_out.values()))


def folds_of(store: EpisodeStore, by: str) -> list[Fold]:
    """The folds of a store's levels, or with `by` "episodes" of each level's episodes."""
    levels: dict[str, list[int]] = defaultdict(list)
    for i, info in enumerate(store.infos()):
        if info.has_state:
            levels[info.level].append(i)
    names = sorted(levels, key=lambda name: [int(n) if n.isdigit() else n for n in name.split("-")])
    if by == "levels":
        return [Fold(k, {name: levels[name] for name in names[k::FOLDS]}) for k in range(FOLDS)]
    return [Fold(k, {n: levels[n][k::FOLDS] for n in names if levels[n][k::FOLDS]}) for k in range(FOLDS)]


def atlas_of(store: EpisodeStore, fold: Fold, by: str, folder: Path, stride: int) -> Atlas:
    """The atlas learned without a fold, from the folder if it is there."""
    path = folder / f"{by}-{fold.number}.npz"
    if path.is_file():
        return Atlas.load(path)
    game = get_game(store.game)
    with tqdm(total=frames_to_read(store, (), stride, fold.episodes), desc=path.name, unit="frame") as bar:
        made = build_atlas(store, game, (), stride=stride, without=fold.episodes, progress=bar.update)
    if by == "levels":
        for scene in shown_maps(store, fold):
            made.maps.pop(scene, None)
    made.save(path)
    return made


def shown_maps(store: EpisodeStore, fold: Fold) -> set[int]:
    """Every map on which an episode that is left out is played."""
    found: set[int] = set()
    for episode in fold.episodes:
        read = store.read(episode, range(0, store.info(episode).frames, 16), ("state", "context"))
        assert read.state is not None
        found.update(np.unique(get_game(store.game).decode(read.state, read.context).scene).tolist())
    return found


def network(checkpoint: str, atlas: Atlas, fair: bool) -> Restorer:
    """A network with the fold's atlas. One that is not `fair` has seen the levels: it forgets what stands where."""
    made = load(checkpoint, atlas=None)
    if not fair:
        for part in made.model.modules():
            if isinstance(part, PlaceMemory):
                part.trained.zero_()
    return Restorer(made.model, made.config, atlas=atlas)


def by_atlas(view: View, locator: Locator, palette: np.ndarray) -> Restoration:
    """What recall and atlas know of masked pixels; the rest gets the most frequent visible colour, in no way sure."""
    known: Known = known_without_state(view, locator) if view.state is None else known_pixels(view, locator)
    filled = np.where(view.mask, mode_colour(view.frames, view.mask), view.frames)
    filled = np.where(known.found, known.indices, filled)
    made = Restoration(palette[filled], filled, np.where(known.found, known.trust, np.float32(0)))
    mix(made, known, palette)
    return made


def measure(restorer: Restorer | Locator, clip: Clip, state: str, number: int, seed: int) -> dict[str, Any]:
    """Hide tubes of one clip, restore it, and count errors on hidden pixels."""
    mask = numbered_tube(clip.frames.shape, 0.9, seed, number)  # type: ignore[arg-type]
    palette = clip.palette
    assert palette is not None
    began = time.process_time()
    if isinstance(restorer, Locator):
        own = clip.state if state != "none" else None
        seen = np.where(mask, np.uint8(0), clip.frames)
        made = by_atlas(View(seen, mask, restorer.game, own, state, clip.origin), restorer, palette)
    else:
        made = restorer.restore_clip(clip.frames, mask, clip.state, level=state, palette=palette, origin=clip.origin)
    assert made.indices is not None and made.confidence is not None
    right, sure = (made.indices == clip.frames)[mask], made.confidence[mask] >= SURE
    return {
        "error": squared_error(made.rgb, palette[clip.frames], mask),
        "right": int(right.sum()),
        "pixels": int(mask.sum()),
        "sure": int(sure.sum()),
        "sure_right": int((right & sure).sum()),
        "seconds": time.process_time() - began,
    }


def level_clips(clips: ClipDataset, episodes: list[int], count: int, seed: int) -> Iterator[tuple[int, Clip]]:
    """Some clips of a level, chosen by the seed, with the numbers of their masks."""
    some = [place for place in clips.sequential() if place[0] in set(episodes)]
    rng = np.random.default_rng([seed, *clips.store.info(episodes[0]).level.encode()])
    for k in sorted(rng.choice(len(some), min(count, len(some)), replace=False).tolist()):
        yield k, clips.clip(*some[k])


def run(args: argparse.Namespace) -> None:
    """Measure what the folder does not hold yet."""
    store = EpisodeStore(args.store)
    clips = ClipDataset(store, clip=16, stride=get_game(store.game).stride, crop=0)
    results = args.out / "results.jsonl"
    args.out.mkdir(parents=True, exist_ok=True)
    done = {(r["fold"], r["level"], r["state"], r["method"]) for r in lines(results)}
    checkpoints = dict(text.split("=", 1) for text in args.checkpoint)
    for fold in (fold for fold in folds_of(store, args.by) if fold.number in args.folds):
        atlas = atlas_of(store, fold, args.by, args.atlases or args.out, args.stride)
        checkpoint = checkpoints.get(str(fold.number), BUNDLED)
        fair = str(fold.number) in checkpoints or args.by == "episodes"
        methods = [ALONE] if args.no_network else [ALONE, checkpoint if fair else f"{checkpoint} (leak)"]
        for method in methods:
            restorer = Locator(atlas, get_game(store.game)) if method == ALONE else network(checkpoint, atlas, fair)
            for level, episodes in tqdm(fold.left_out.items(), desc=f"fold {fold.number}, {method}"):
                wanted = [s for s in args.states if (fold.number, level, s, method) not in done]
                found: dict[str, list[dict[str, Any]]] = defaultdict(list)
                for number, clip in level_clips(clips, episodes, args.clips, args.seed) if wanted else ():
                    for state in wanted:
                        found[state].append(measure(restorer, clip, state, number, args.seed))
                for state, parts in found.items():
                    row = {"fold": fold.number, "level": level, "state": state, "method": method}
                    row |= {name: sum(part[name] for part in parts) for name in parts[0]}
                    row["clips"] = [round(psnr(part["error"] / part["pixels"]), 2) for part in parts]
                    with results.open("a") as file:
                        file.write(json.dumps(row) + "\n")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a row for each state level, method and fold, and for all folds of each."""
    head = ("state", "method", "fold", "levels", "mean dB", "worst level", "pooled dB", "exact",
            f"confidence >= {SURE}: of the pixels", "right")  # fmt: skip
    made = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for state in STATES:
        for method in sorted({r["method"].split(" (")[0] if r["method"] != ALONE else ALONE for r in rows}):
            some = [r for r in rows if r["state"] == state and r["method"].split(" (")[0] == method]
            numbers = sorted({r["fold"] for r in some})
            for fold in (*([(n,) for n in numbers] if len(numbers) > 1 else []), tuple(numbers)):
                of_fold = [r for r in some if r["fold"] in fold]
                if of_fold:
                    made.append(f"| {' | '.join(figures(of_fold, state, fold))} |")
    return "\n".join(made)


def figures(rows: list[dict[str, Any]], state: str, fold: tuple[int, ...]) -> list[str]:
    """The cells of one row of the table."""
    decibels = {r["level"]: min(MOST, psnr(r["error"] / r["pixels"])) for r in rows}
    worst = min(decibels, key=lambda level: decibels[level])
    total = {name: sum(r[name] for r in rows) for name in ("error", "right", "pixels", "sure", "sure_right")}
    return [
        state, " / ".join(sorted({r["method"] for r in rows})), ", ".join(map(str, fold)), str(len(decibels)),
        f"{np.mean(list(decibels.values())):.2f}", f"{decibels[worst]:.2f} ({worst})",
        f"{psnr(total['error'] / total['pixels']):.2f}", f"{total['right'] / total['pixels']:.4%}",
        f"{total['sure'] / total['pixels']:.1%}", f"{total['sure_right'] / max(total['sure'], 1):.3%}",
    ]  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="written by `hstmae preprocess`; its splits do not matter")
    parser.add_argument("--out", type=Path, required=True, help="folder of results and atlases")
    parser.add_argument("--atlases", type=Path, help="folder of the atlases (--out)")
    parser.add_argument("--by", choices=("levels", "episodes"), default="levels", help="what folds leave out")
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)), choices=range(FOLDS))
    parser.add_argument("--states", nargs="+", default=list(STATES), choices=STATES)
    parser.add_argument("--clips", type=int, default=4, help="of each level (4)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stride", type=int, default=4, help="atlases look at every N-th frame (4)")
    parser.add_argument(
        "--checkpoint", nargs="+", default=[], metavar="K=MODEL", help="trained without fold K's levels"
    )
    parser.add_argument("--no-network", action="store_true", help="the atlas alone")
    parser.add_argument("--table", type=Path, help="write the table here, too")
    args = parser.parse_args(argv)
    run(args)
    text = table(lines(args.out / "results.jsonl"))
    print(text)
    if args.table is not None:
        write_text(args.table, text + "\n")


if __name__ == "__main__":
    main()
