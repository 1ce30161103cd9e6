"""Make the tables for a console's picture memory: `python -m hstmae.training.codec.replay_tables STORE OUT --rom FILE`.

The console plays the episodes of the training split, and the row coder learns what it has drawn every now and then. Of
the ROM nothing is kept but how likely which tile is where. The same store and ROM give the same file.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...codec.container.gop import Gop
from ...codec.lossless.coding_models import PictureModel, RowModel
from ...codec.lossless.tables import save_tables
from ...codec.replay.encoder import ReplayEncoder
from ...codec.replay.keys import told
from ...codec.replay.parts import LOSSLESS
from ...codec.replay.predictor import Predictor
from ...codec.replay.profile import ReplayProfile, starts_of
from ...data.store.reader import EpisodeStore
from ...errors import CodecError, HstError
from ...games.registry import get_game
from ...games.spec import GameSpec
from .lossless_partners import Rows, choose_first, choose_lines, choose_partners, compiled
from .lossless_tables import ROW_WEIGHTS, SPEED, Learner, round_cells, round_slots, round_weights

EVERY = 48  # frames between two looks at the picture memory
_FEW = 400  # looks that the partners of each byte are chosen by

EXAMPLES = """
examples:
  python -m hstmae.training.codec.replay_tables data/preprocessed GAME.tables --rom GAME.nes

Put the file in place of hstmae/codec/replay/tables/GAME.tables. Sessions coded with it can only be decoded with it.
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hstmae.training.codec.replay_tables",
        description=(__doc__ or "").split(":")[0] + ".",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("store", type=Path, help="store with memory and actions; its training split is used")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--rom", type=Path, required=True, help="the game")
    parser.add_argument("--slots", type=int, default=60_000, help="contexts that are kept (default: 60000)")
    args = parser.parse_args(argv)
    try:
        store = EpisodeStore(args.store)
        columns, palettes = learn(list(looks(store, args.rom)), get_game(store.game), args.slots)
        save_tables(args.out, f"{store.game}-screens-1", columns, palettes, PictureModel.neutral(version=LOSSLESS))
    except HstError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {args.out.stat().st_size} bytes")
    return 0


Look = tuple[np.ndarray, tuple[np.ndarray, ...]]  # memory uint8 [S], and the picture memory


def looks(store: EpisodeStore, rom: Path) -> Iterator[Look]:
    """What the console has in its picture memory, every now and then."""
    profile = ReplayProfile(store.game, rom)
    console = profile.console()
    for i, info in enumerate(store.infos()):
        if info.split != "train":
            continue
        print(f"{info.name}: {info.frames} frames", flush=True)
        starts = starts_of(get_game(store.game), info.level, rom)
        encoder = ReplayEncoder(console, profile.coder, profile.kernel, starts, info.frames)
        for start in range(0, info.frames - EVERY + 1, EVERY):
            part = store.read(i, range(start, start + EVERY))
            gop = Gop.of(part)
            if not encoder.fits(gop):
                raise CodecError(f"{info.name}: is no recording of such a console")
            encoder.encode(gop, part.frame_numbers)
            yield look_at(console, encoder.state)


def look_at(console: Predictor, state: np.ndarray) -> Look:
    return console.memory_of(state).copy(), console.screen_of(state)


def learn(found: Sequence[Look], game: GameSpec, slots: int) -> tuple[RowModel, RowModel]:
    """The models of columns and of palettes. `slots`: how many contexts are kept."""
    models = []
    order = np.random.default_rng(0).permutation(len(found)).tolist()
    for k, keep in enumerate((slots, max(slots // 20, 1))):
        rows: list[Rows] = []
        for memory, screen in found:
            first, side = told(game, k, screen[k].shape, memory)
            rows.append((np.ascontiguousarray(np.roll(screen[k], -first, 0)), side))
        models.append(_learned(rows, order, keep))
    return models[0], models[1]


def _learned(rows: list[Rows], order: list[int], keep: int) -> RowModel:
    size, sides = rows[0][0].shape[1], rows[0][1].shape[1]
    few = rows[:: max(len(rows) // _FEW, 1)]
    if len(few[0][0]) == 1:  # rows that stand alone: of one after the other it is seen as well what goes with what
        few = [(np.concatenate([row for row, _ in few]), np.concatenate([side for _, side in few]))]
    places, partners = choose_partners([np.concatenate(pair, 1) for pair in few], size, ())
    values = np.concatenate([row for row, _ in rows])
    start = np.array([np.bincount(values[:, a], minlength=256).argmax() for a in range(size)], np.uint8)
    chosen: dict[str, Any] = {
        "first_partners": choose_first(few, places, partners),
        "line_partners": choose_lines(few, places),
    }
    base = RowModel.neutral(size, sides, version=LOSSLESS)
    model = replace(base, order=places, partners=partners, start=start, **chosen)
    slots, cells = Learner(22, 63), Learner(22, 0x00FF0000)
    for k in order:
        compiled().train_rows(*rows[k], model, slots.table, cells.table, slots.bits, SPEED)
        slots.count()
        cells.count()
    bits = 19 if size > 64 else 15
    weights: dict[str, Any] = {name: round_weights(getattr(model, name)) for name in ROW_WEIGHTS}
    kept: dict[str, Any] = {
        "slots": round_slots(slots.thinned(keep, bits)),
        "cells": round_cells(cells.thinned(keep // 3, bits - 1)),
    }
    return replace(model, **kept, **weights)


if __name__ == "__main__":
    raise SystemExit(main())
