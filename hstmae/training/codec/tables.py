"""What a codec model's entropy coder starts from: bytes of the memory that count, how they change, how codes follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...codec.lossless.coding_models import PictureModel, RowModel
from ...codec.lossless.kernel import Compiled, backend
from ...codec.lossless.tables import save_tables
from ...codec.neural.allocation import Allocator
from ...codec.neural.bitcoder import ONE
from ...codec.neural.model import CodecModel
from ...codec.neural.painting import Painter, fast_head
from ...codec.neural.prior import CellWalk, cell_hints
from ...codec.neural.profile import slope_of
from ...codec.neural.statecoder import TABLES
from ...codec.neural.thinning import read_bytes, thin
from .clips import CodecClips
from .lossless_tables import SPEED, Learner, choose_partners, round_slots, round_weights

_FEW = 2.0  # decisions of either kind that a context is taken to have seen before


def find_kept(clips: CodecClips, rng: np.random.Generator, moments: int = 40) -> np.ndarray:
    """Bytes of the memory that pictures depend on, bool [S]: real moments of the store, each byte changed in turn."""
    states = []
    for _ in range(moments):
        episode = int(rng.choice(clips.episodes))
        row = int(rng.integers(clips.store.info(episode).frames))
        memory = clips.store.read(episode, [row], ("state",)).state
        assert memory is not None
        states.append(memory[0])
    return read_bytes(clips.game, np.stack(states))


@torch.inference_mode()
def fit_prior(model: CodecModel, clips: CodecClips, rng: np.random.Generator, groups: int, quality: float) -> int:
    """Set the model's probabilities to how often each decision falls when groups of the store are encoded.

    Returns:
        How many decisions were counted.
    """
    counts = np.zeros((model.layout.size, 2), np.int64)
    head = fast_head(model)

    def count(context: int, bit: int) -> int:
        counts[context, int(bit)] += 1
        return int(bit)

    for _ in range(groups):
        clip = clips.draw_group(rng)
        painter = Painter(model, head, clip.state, clip.grid)
        hints = cell_hints(model.game, clip.state, clip.grid)
        codes = Allocator(model, painter, clip.grid, clip.frames, painter.told(), hints).choose(slope_of(quality))
        walk = CellWalk(model.layout, clip.grid, hints, count)
        for cell in walk.cells():
            walk.step(cell, codes.get(cell, ()))
    share = (counts[:, 1] + _FEW / 2) / (counts.sum(1) + _FEW)
    least = ONE // 512
    model.prior.copy_(torch.from_numpy((share * ONE).round().clip(least, ONE - least).astype(np.int32)))
    return int(counts.sum())


def fit_rows(clips: CodecClips, kept: np.ndarray, seed: int, groups: int, folder: Path, name: str) -> bool:
    """Write the tables of the coder of memory and controllers into a model folder.

    Returns:
        False without the compiled kernel, or where recordings have no controllers: the coder then starts from nothing.
    """
    kernel = backend()
    columns = np.flatnonzero(kept)
    rng = np.random.default_rng(seed)
    few = list(_rows(clips, kept, rng, min(150, groups)))
    if not isinstance(kernel, Compiled) or not few or few[0][1].shape[1] == 0:
        return False
    width = few[0][1].shape[1]
    late = [f for f in clips.game.fields if f.name == clips.game.coding.sprite_list]
    last = tuple(i for i, a in enumerate(columns) if any(f.address <= a < f.address + f.count for f in late))
    order, partners = choose_partners([np.concatenate(pair, 1) for pair in few], len(columns), last)
    every = np.concatenate([rows for rows, _ in few])[::4]
    start = np.array([np.bincount(every[:, a], minlength=256).argmax() for a in range(len(columns))], np.uint8)
    base = RowModel.neutral(len(columns), width)
    state = RowModel(order, partners, start, base.slots, base.own, base.shared)
    actions = RowModel.neutral(width, 0)
    slots, slots_a = Learner(22, 63), Learner(18, 63)
    for rows, held in _rows(clips, kept, rng, groups):
        kernel.train_rows(rows, held, state, slots.table, slots.bits, SPEED)
        kernel.train_rows(held, np.zeros((len(held), 0), np.uint8), actions, slots_a.table, slots_a.bits, SPEED)
        slots.count()
        slots_a.count()
    made = [
        replace(m, slots=round_slots(s.thinned(k, b)), own=round_weights(m.own), shared=round_weights(m.shared))
        for m, s, k, b in ((state, slots, 400_000, 22), (actions, slots_a, 10_000, 16))
    ]
    save_tables(folder / TABLES, name, made[0], made[1], PictureModel.neutral(8))
    return True


def _rows(
    clips: CodecClips, kept: np.ndarray, rng: np.random.Generator, groups: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Thinned memory uint8 [T, K] and controllers uint8 [T, A] of random groups."""
    for _ in range(groups):
        episode, index, _ = clips.place(rng)
        found = clips.store.read(episode, index, ("state", "actions"))
        assert found.state is not None
        rows = thin(clips.game, found.state, kept)[:, np.flatnonzero(kept)]
        held = np.zeros((len(index), 0), np.uint8) if found.actions is None else found.actions.reshape(len(index), -1)
        yield np.ascontiguousarray(rows), np.ascontiguousarray(held)
