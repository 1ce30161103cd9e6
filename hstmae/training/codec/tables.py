"""What a codec model's entropy coder starts from: bytes of the memory that count, how they change, how codes follow."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from ...codec.lossless.kernel import Compiled, backend
from ...codec.lossless.scene import Scene
from ...codec.lossless.tables import save_tables
from ...codec.neural.allocation import Allocator
from ...codec.neural.bitcoder import ONE
from ...codec.neural.model import CodecModel
from ...codec.neural.painting import Painter, fast_head
from ...codec.neural.pictures import slope_of
from ...codec.neural.prior import CellWalk, cell_hints
from ...codec.neural.statecoder import TABLES
from ...codec.neural.thinning import read_bytes, thin
from .clips import CodecClips
from .lossless_tables import Rows, learn_pictures, learn_rows

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
        codes = Allocator(model, painter, clip.grid, clip.frames, painter.from_state(), hints).choose(slope_of(quality))
        CellWalk(model.layout, clip.grid, hints, count).run(codes)
    share = (counts[:, 1] + _FEW / 2) / (counts.sum(1) + _FEW)
    least = ONE // 512
    model.prior.copy_(torch.from_numpy((share * ONE).round().clip(least, ONE - least).astype(np.int32)))
    return int(counts.sum())


def fit_lossless(clips: CodecClips, kept: np.ndarray, seed: int, groups: int, folder: Path, name: str) -> bool:
    """Write the tables of the coder of memory, controllers and exact pictures into a model folder, learned from groups
    as the model codes them: thinned, and as far apart.

    Returns:
        False without the compiled kernel, or where recordings have no controllers: the coder then starts from nothing.
    """
    columns = np.flatnonzero(kept)
    rng = np.random.default_rng(seed)
    few = list(_rows(clips, kept, rng, min(200, groups)))
    if not isinstance(backend(), Compiled) or not few or few[0][1].shape[1] == 0:
        return False
    late = [f for f in clips.game.fields if f.name == clips.game.coding.sprite_list]
    last = tuple(i for i, a in enumerate(columns) if any(f.address <= a < f.address + f.count for f in late))
    many = _rows(clips, kept, rng, groups)
    state, actions = learn_rows(few, many, last, every=4, bits=((24, 22), (18, 16)), keep=(800_000, 10_000))
    pictures = learn_pictures(_pictures(clips, kept, np.random.default_rng(seed + 1), -(-groups // 6)))
    save_tables(folder / TABLES, name, state, actions, pictures)
    return True


def _pictures(
    clips: CodecClips, kept: np.ndarray, rng: np.random.Generator, groups: int
) -> Iterator[tuple[np.ndarray, tuple[Scene, ...]]]:
    """Pictures of random groups, with what their thinned memory says; of every fourth once more without that."""
    for n in range(groups):
        episode, index, _ = clips.place(rng)
        found = clips.store.read(episode, index, ("frames", "state"))
        assert found.state is not None
        scene = Scene.of(clips.game, thin(clips.game, found.state, kept))
        scenes = (scene,) if n % 4 else (scene, Scene.nothing(len(index)))
        yield np.ascontiguousarray(found.frames), scenes


def _rows(clips: CodecClips, kept: np.ndarray, rng: np.random.Generator, groups: int) -> Iterator[Rows]:
    """Thinned memory uint8 [T, K] and controllers uint8 [T, A] of random groups."""
    for _ in range(groups):
        episode, index, _ = clips.place(rng)
        found = clips.store.read(episode, index, ("state", "actions"))
        assert found.state is not None
        rows = thin(clips.game, found.state, kept)[:, np.flatnonzero(kept)]
        held = np.zeros((len(index), 0), np.uint8) if found.actions is None else found.actions.reshape(len(index), -1)
        yield np.ascontiguousarray(rows), np.ascontiguousarray(held)
