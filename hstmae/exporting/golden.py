"""What an export is checked with: one clip, and what it looks like as inputs of a graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..bundled import SAMPLES
from ..games import GameState
from ..models.mae import HSTMAE
from ..models.masking import hidden_cubes, tube_visible
from ..portable.network import FULL, blank_state, feed_of

GOLDEN_CUBES = 64
HIDDEN = 0.9  # share of the units


@dataclass(frozen=True)
class GoldenClip:
    """frames uint8 [T, H, W] and their state; visible int64 [V] units and queries int64 [Q] cubes."""

    frames: np.ndarray
    state: GameState
    visible: np.ndarray
    queries: np.ndarray

    def feed(self) -> dict[str, np.ndarray]:
        """Every input that a graph may have, by name."""
        return feed_of(self.frames, self.visible, self.queries, self.state, FULL, (0, 0))


def golden_clip(
    model: HSTMAE, size: tuple[int, int], clip: int, *, hidden: float = HIDDEN, cubes: int | None = GOLDEN_CUBES
) -> GoldenClip:
    """A clip of the bundled sample session where it is of the model's game, else of noise, under tubes.

    Args:
        size: height and width, multiples of 16.
        hidden: share of the units that tubes hide.
        cubes: how many of the hidden cubes are wanted, drawn at random; None: all.
    """
    generator = torch.Generator().manual_seed(0)
    units, slices = size[0] // 16 * (size[1] // 16), clip // 2
    visible = tube_visible(1, units, hidden, generator)
    queries = hidden_cubes(visible, units, slices)[0]
    if cubes is not None:
        queries = queries[torch.randperm(len(queries), generator=generator)[:cubes].sort().values]
    frames = torch.randint(0, len(model.palette), (clip, *size), generator=generator, dtype=torch.uint8).numpy()
    state = blank_state(model.game, clip)
    footage = sample(model.game.name, clip)
    if footage is not None and footage[0].shape[1] >= size[0] and footage[0].shape[2] >= size[1]:
        frames, state = footage[0][:, : size[0], : size[1]], footage[1]
    return GoldenClip(frames, state, visible[0].numpy(), queries.numpy())


def golden_input(model: HSTMAE, size: tuple[int, int], clip: int) -> dict[str, np.ndarray]:
    """The inputs of `golden_clip`: tubes at 90 %, `GOLDEN_CUBES` of the hidden cubes."""
    return golden_clip(model, size, clip).feed()


def sample(game: str, clip: int) -> tuple[np.ndarray, GameState] | None:
    """The first frames of the bundled session and their state, where it is of this game."""
    if game != "smb":
        return None
    import tempfile
    from pathlib import Path

    from ..data.store.preprocessing import preprocess
    from ..data.store.reader import EpisodeStore
    from ..games import get_game

    with tempfile.TemporaryDirectory(prefix="hstmae-") as folder:
        preprocess(SAMPLES / "sample_session", Path(folder) / "store", workers=1, val_fraction=0)
        episode = EpisodeStore(Path(folder) / "store")[0]
        if len(episode.frames) < clip or episode.state is None:
            return None
        return episode.frames[:clip].copy(), get_game(game).decode(episode.state, episode.context).map(
            lambda a: a[:clip]
        )
