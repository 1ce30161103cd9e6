"""One recorded session in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import DataError
from ..notebook import card

OUTCOMES = ("cut", "fail", "win")


@dataclass(frozen=True)
class Episode:
    """A recorded session, or some frames of one.

    Attributes:
        name: unique inside a store.
        game: registered game name.
        frames: uint8 [T, H, W] palette indices, or [T, H, W, 3] RGB.
        palette: uint8 [K, 3] RGB of the indices; None for RGB frames.
        state: uint8 [T, S] the game's memory, belonging to the picture of the same index; None where unknown.
        context: uint8 [T, C] what earlier memory tells (see GameSpec.context); None where unknown.
        actions: uint8 [T] controller byte (MSB to LSB: A, up, left, B, select, right, down, start for the NES).
        frame_numbers: int32 [T] the recorder's frame numbers, ascending; a jump is a gap in the recording.
        outcome: one of OUTCOMES.
        level: e.g. "1-1"; "" where unknown.
        fps: frames per second of consecutive frame numbers.
        split: "train", "val" or "val_level" (a level kept out of training), "" before splitting.
        source: where it came from (file or folder name, not a machine's path).
        notes: counts of repairs and the like.
        corner: y and x of the frames in the game's native picture: other than 0, 0 where a recorder cut off its edge.
    """

    name: str
    game: str
    frames: np.ndarray
    palette: np.ndarray | None
    state: np.ndarray | None
    context: np.ndarray | None
    actions: np.ndarray | None
    frame_numbers: np.ndarray
    outcome: str = "cut"
    level: str = ""
    fps: float = 60.0
    split: str = ""
    source: str = ""
    notes: dict[str, int] = field(default_factory=dict)
    corner: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        return len(self.frames)

    def _repr_html_(self) -> str:
        rows = [
            ("game", self.game),
            ("frames", f"{len(self)} of {self.frames.shape[2]}x{self.frames.shape[1]} at {self.fps:g} a second"),
            ("level", self.level),
            ("outcome", self.outcome),
            ("split", self.split),
            ("source", self.source),
            ("with", ", ".join(name for name in ("state", "context", "actions") if getattr(self, name) is not None)),
            *sorted(self.notes.items()),
        ]
        shown = [len(self) // 2] if len(self) else []
        palette = self.palette
        pictures = [(f"frame {t}", self.frames[t] if palette is None else palette[self.frames[t]]) for t in shown]
        return card(f"Episode {self.name}", rows, pictures)

    def take(self, index: np.ndarray | slice) -> Episode:
        """The same session with only the frames of `index`: positions, a slice, or bool [T].

        Raises:
            DataError: there are no such frames; a slice is not cut to those that there are.
        """
        frames = len(self)
        if isinstance(index, slice):
            ends = [end for end in (index.start, index.stop) if end is not None]
            wrong = [end for end in ends if not -frames <= end <= frames]
        elif index.dtype == bool:
            wrong = [] if index.shape == (frames,) else [len(index)]
        else:
            wrong = index[(index < -frames) | (index >= frames)].tolist()
        if wrong:
            raise DataError(f"{self.name}: has frames 0 to {frames - 1}; {wrong[0]} was asked for")

        def pick(a: np.ndarray | None) -> np.ndarray | None:
            return None if a is None else a[index]

        return replace(
            self,
            frames=self.frames[index],
            state=pick(self.state),
            context=pick(self.context),
            actions=pick(self.actions),
            frame_numbers=self.frame_numbers[index],
        )
