"""Make the tables of the lossless coder: `python -m hstmae.training.codec.lossless_tables STORE OUT.tables`.

The coder runs over groups of the training split without ever starting anew; what it has learned then is thinned out
(contexts met in few groups go, numbers are rounded) and written. The same store gives the same file.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...codec.lossless.coding_models import VERSION, Hashed, PictureModel, RowModel
from ...codec.lossless.probability import squash_table, stretch_table
from ...codec.lossless.scene import Scene
from ...codec.lossless.tables import save_tables
from ...data.episode import Episode
from ...data.store.reader import EpisodeStore
from ...errors import CodecError, HstError, UsageError
from ...games.registry import get_game
from ...games.spec import GameSpec
from .lossless_partners import Rows, choose_first, choose_lines, choose_partners, compiled

SPEED = 3  # of learning weights here, half of what coding uses: they are to fit all groups

EXAMPLES = """
examples:
  python -m hstmae.training.codec.lossless_tables data/preprocessed GAME.tables
  python -m hstmae.training.codec.lossless_tables data/preprocessed try.tables --groups 50

Use them with LosslessProfile("GAME", Path("GAME.tables")), or put them in place of
hstmae/codec/lossless/tables/GAME.tables. A file coded with them can only be decoded with them. With the defaults it
takes a quarter of an hour of one core.
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hstmae.training.codec.lossless_tables",
        description=(__doc__ or "").split(":")[0] + ".",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("store", type=Path, help="store with memory and actions; its training split is used")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--groups", type=int, default=900, help="groups of 64 frames learned from (default: 900)")
    parser.add_argument(
        "--slots", type=int, default=800_000, help="contexts of the memory that are kept (default: 800000)"
    )
    args = parser.parse_args(argv)
    try:
        if min(args.groups, args.slots) < 1:
            raise UsageError("--groups and --slots must be 1 or more")
        store = EpisodeStore(args.store)
        print(f"{store.frames} frames of {store.game}", flush=True)
        state, actions = train_rows(store, args.groups, args.slots)
        pictures = train_pictures(store, args.groups)
        save_tables(args.out, f"{store.game}-{VERSION}", state, actions, pictures)
    except HstError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {args.out.stat().st_size} bytes")
    return 0


def groups(store: EpisodeStore, count: int, frames: int, columns: tuple[str, ...]) -> Iterator[Episode]:
    """About `count` groups of the training split, evenly spread and in a fixed mixed order."""
    places = [
        (i, start)
        for i, info in enumerate(store.infos())
        if info.split == "train"
        for start in range(0, info.frames - frames + 1, frames)
    ]
    if not places:
        raise CodecError(f"{store.path}: no group of {frames} frames in the training split")
    chosen = np.random.default_rng(0).permutation(len(places))[:count]
    for n, (i, start) in enumerate(places[k] for k in chosen):
        if n % 100 == 0:
            print(f"group {n} of {len(chosen)}: {', '.join(columns)}", flush=True)
        yield store.read(i, range(start, start + frames), columns)


def memory_of(e: Episode) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [T, S] and [T, A]. Raises CodecError: the episode lacks one of them."""
    if e.state is None or e.actions is None:
        raise CodecError(f"{e.name}: tables are made from pictures with memory and actions")
    return np.ascontiguousarray(e.state), np.ascontiguousarray(e.actions.reshape(len(e), -1))


class Learner:
    """A hash table that is trained, with the number of groups in which each entry was used."""

    def __init__(self, bits: int, owner: int) -> None:
        self.bits, self.owner = bits, np.uint32(owner)
        self.table = np.zeros(1 << bits, np.uint32)
        self.before = self.table.copy()
        self.uses = np.zeros(1 << bits, np.uint16)

    def count(self) -> None:
        """To be called after each group."""
        used = np.flatnonzero(self.table != self.before)
        new = (self.table[used] ^ self.before[used]) & self.owner != 0
        self.uses[used] += 1
        self.uses[used[new]] = 1
        self.before[used] = self.table[used]

    def thinned(self, keep: int, bits: int, *, split: bool = False) -> Hashed:
        """The `keep` entries used in most groups, for a table of 2**bits.

        Args:
            split: in its upper half 64 entries each lie side by side, and stay so.
        """
        often = np.flatnonzero(self.uses > 1)
        order = often[np.argsort(-self.uses[often].astype(np.int32), kind="stable")[:keep]]
        at = order >> (self.bits - bits)
        if split:
            side_by_side = order >> (6 + self.bits - bits) << 6 | order & 63
            at = np.where(order >> (self.bits - 1), side_by_side, at)
        at, first = np.unique(at, return_index=True)
        return Hashed(bits, at.astype(np.uint32), self.table[order[first]])


def round_slots(slots: Hashed) -> Hashed:
    """Fewer different probabilities (steps of a quarter in the logit) and counts, so that the file is small."""
    logit = stretch_table()[slots.value >> 16].astype(np.int32)
    p = squash_table()[np.clip((logit + 32) // 64 * 64, -2839, 2839) + 3072].astype(np.uint32)
    count = np.array([0, 1, 2, 3, 4, 6, 6, 6, 6, 10, 10, 10, 10, 12, 12, 12], np.uint32)[(slots.value >> 6) & 15]
    return Hashed(slots.bits, slots.at, p << 16 | count << 6 | (slots.value & 63))


def round_cells(cells: Hashed) -> Hashed:
    """Fewer different degrees of trust, likewise."""
    trust = np.array([0, 1, 2, 3, 3, 5, 5, 5, 5, *[10] * 15, *[30] * 40], np.uint32)[(cells.value >> 9) & 63]
    return Hashed(cells.bits, cells.at, (cells.value & 0x00FF01FF) | trust << 9)


def round_weights(w: np.ndarray) -> np.ndarray:
    return ((w + 256) >> 9 << 9).astype(np.int32)


ROW_WEIGHTS = ("own", "shared", "line_own", "line_shared", "guess_own", "guess_shared")


def train_rows(store: EpisodeStore, count: int, keep: int) -> tuple[RowModel, RowModel]:
    """The models of memory and controllers."""
    few = [memory_of(e) for e in groups(store, 170, 64, ("state", "actions"))]
    many = (memory_of(e) for e in groups(store, count, 64, ("state", "actions")))
    late = get_game(store.game).coding.late_bytes
    return learn_rows(few, many, late, every=8, bits=((24, 22), (20, 18)), keep=(keep, 20_000))


def learn_rows(
    few: list[Rows],
    many: Iterable[Rows],
    late: tuple[int, ...],
    *,
    every: int,
    bits: tuple[tuple[int, int], tuple[int, int]],
    keep: tuple[int, int],
) -> tuple[RowModel, RowModel]:
    """The models of memory and controllers that groups teach.

    Args:
        few: groups that the partners of each byte, and every `every`-th row the start, are chosen by.
        many: groups learned from, without ever starting anew.
        late: positions to be coded last.
        bits, keep: of memory and of controllers: bits of the hash table while learning and in the end, and how many
            entries are kept.
    """
    kernel = compiled()
    size, width = few[0][0].shape[1], few[0][1].shape[1]
    order, partners = choose_partners([np.concatenate(pair, 1) for pair in few], size, late)
    rows = np.concatenate([memory for memory, _ in few])[::every]
    start = np.array([np.bincount(rows[:, a], minlength=256).argmax() for a in range(size)], np.uint8)
    base = RowModel.neutral(size, width)
    chosen: dict[str, Any] = {
        "first_partners": choose_first(few, order, partners),
        "line_partners": choose_lines(few, order),
    }
    models = replace(base, order=order, partners=partners, start=start, **chosen), RowModel.neutral(width, 0)
    slots = Learner(bits[0][0], 63), Learner(bits[1][0], 63)
    cells = Learner(bits[0][0], 0x00FF0000), Learner(bits[1][0], 0x00FF0000)
    for memory, held in many:
        none = np.zeros((len(held), 0), np.uint8)
        for row, side, model, slot, cell in zip((memory, held), (held, none), models, slots, cells, strict=True):
            kernel.train_rows(row, side, model, slot.table, cell.table, slot.bits, SPEED)
            slot.count()
            cell.count()
    made = []
    for model, slot, cell, most, (_, size) in zip(models, slots, cells, keep, bits, strict=True):
        weights: dict[str, Any] = {name: round_weights(getattr(model, name)) for name in ROW_WEIGHTS}
        tables: dict[str, Any] = {
            "slots": round_slots(slot.thinned(most, size)),
            "cells": round_cells(cell.thinned(most // 3, size - 1)),
        }
        made.append(replace(model, **tables, **weights))
    return made[0], made[1]


def train_pictures(store: EpisodeStore, count: int) -> PictureModel:
    """The model of pictures, with and without the memory."""
    game: GameSpec = get_game(store.game)
    some = groups(store, count, 32, ("frames", "state", "actions"))
    return learn_pictures((e.frames, (Scene.of(game, memory_of(e)[0]), Scene.nothing(32))) for e in some)


def learn_pictures(many: Iterable[tuple[np.ndarray, tuple[Scene, ...]]]) -> PictureModel:
    """The model of pictures that groups teach: frames uint8 [T, H, W] with what is known of them, each in turn."""
    kernel, model = compiled(), PictureModel.neutral()
    slots, cells = Learner(22, 63), Learner(23, 0x00FF0000)
    for frames, scenes in many:
        for scene in scenes:
            kernel.train_pictures(frames, scene, model, (slots.table, 22), (cells.table, 23), SPEED)
        slots.count()
        cells.count()
    return PictureModel(
        slots=round_slots(slots.thinned(120_000, 20)),
        cells=round_cells(cells.thinned(260_000, 21, split=True)),
        sources=(model.sources >> 16 << 16) | (10 << 6),
        flag=round_weights(model.flag),
        pixel=round_weights(model.pixel),
        escape=round_weights(model.escape),
        version=model.version,
        quiet=None if model.quiet is None else round_weights(model.quiet),
    )


if __name__ == "__main__":
    raise SystemExit(main())
