"""Clips for training the codec: what a decoder of a group of pictures knows, and the cells that it draws."""

from dataclasses import dataclass

import numpy as np

from ...codec.neural.grid import CellGrid
from ...data.store.reader import EpisodeStore
from ...errors import ConfigError
from ...games import GameSpec, GameState, get_game


@dataclass(frozen=True)
class CodecClip:
    """T frames out of a group of pictures.

    Attributes:
        frames: uint8 [T, H, W] palette indices.
        state: numpy arrays with leading axis T; carried context is what the group alone tells. None = level `none`.
        grid: its cells.
    """

    frames: np.ndarray
    state: GameState | None
    grid: CellGrid


class CodecClips:
    """Random clips of one split of a store."""

    def __init__(self, store: EpisodeStore, split: str, gop: int, clip: int, stride: int):
        """gop: frames of a group of pictures; clip: frames drawn of it; stride: between two of them in the episode.

        Raises:
            ConfigError: no episode of the split is long enough, or the store has no palette or state.
        """
        self.store, self.gop, self.clip, self.stride = store, gop, clip, stride
        self.game: GameSpec = get_game(store.game)
        infos = store.infos()
        if not len(self.game.palette) or any("state" not in info.columns for info in infos):
            raise ConfigError(f"{store.path}: the codec is trained on palette footage with state")
        self.span = gop * stride
        self.episodes = [i for i, e in enumerate(infos) if e.split == split and e.frames > self.span]
        if not self.episodes:
            raise ConfigError(f"{store.path}: no episode of split '{split}' has more than {self.span} frames")
        frames = np.array([infos[i].frames for i in self.episodes], np.float64)
        self._shares = frames / frames.sum()

    def place(self, rng: np.random.Generator) -> tuple[int, np.ndarray, np.ndarray]:
        """A random group without a gap: episode, positions of its frames int64 [gop], and the recorder's numbers."""
        while True:
            episode = int(rng.choice(self.episodes, p=self._shares))
            index = int(rng.integers(self.store.info(episode).frames - self.span)) + self.stride * np.arange(self.gop)
            numbers = self.store.frame_numbers(episode)[index]
            if numbers[-1] - numbers[0] == self.span - self.stride:
                return episode, index, numbers

    def draw(self, rng: np.random.Generator, with_state: float = 1.0) -> CodecClip:
        """A clip; with probability `with_state` it comes with state."""
        place = self.place(rng)
        offset = int(rng.integers(self.gop // self.clip)) * self.clip
        return self._clip(*place, slice(offset, offset + self.clip), bool(rng.random() < with_state))

    def draw_group(self, rng: np.random.Generator) -> CodecClip:
        """All frames of a group, with state."""
        return self._clip(*self.place(rng), slice(None), True)

    def _clip(self, episode: int, index: np.ndarray, numbers: np.ndarray, part: slice, with_state: bool) -> CodecClip:
        frames = self.store.read(episode, index[part], ("frames",)).frames
        state = None
        if with_state:
            memory = self.store.read(episode, index, ("state",)).state
            assert memory is not None
            # as a decoder does, which does not know the recorder's numbers
            context = self.game.context(memory, np.arange(self.gop)) if self.game.context_size else None
            state = self.game.decode_for_coding(memory[part], None if context is None else context[part])
        return CodecClip(frames, state, CellGrid.of(self.game, state, *frames.shape))
