"""Writing one episode into a store: frames are packed as they come, the folder appears only when it is complete.

It grows in a hidden folder. Where a run is stopped, whole groups of pictures stay there, and the next run with the same
key goes on behind them.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from ...atomic import sync_folder
from ...games import GameSpec
from ...journal import JOURNAL, keeping
from ..pairing import Pairing
from .begun import Begun, Changed
from .columns import HEADS, Column, ColumnWriter
from .layouts import PLAIN, SPARSE
from .manifest import DATA, EpisodeInfo, digest_file, runs_of, write_info

SOURCE = "source.json"  # what the episode was made from; not part of any hash, since it holds file times
MAX_FRAME_GROUP_BYTES = 32 << 20  # large pictures come in smaller groups: a group is held in memory as a whole


@dataclass(frozen=True)
class Packing:
    """How columns are packed; part of what decides whether a finished episode can be kept.

    Attributes:
        level: zstd level.
        frame_group: pictures per group: larger is smaller on disk, and slower to read one picture from.
        state_group: rows per group of state and context.
    """

    level: int = 12
    frame_group: int = 16
    state_group: int = 64
    action_group: int = 4096


@dataclass
class EpisodeWriter:
    """Context manager that packs one episode. Without `finish` whole groups of pictures are left behind, for the next
    one with the same key: it has to be given the same frames from the first on, those that are `known` without pixels.

    Args:
        folder: final folder of the episode; replaced as a whole when it exists.
        name, level, outcome, source: as in Episode.
        game: description of the game; its `context` is computed over the whole episode at the end.
        palette: uint8 [K, 3], or None for RGB frames.
        fps: frames per second; None = what the game runs at.
        corner: as in Episode.
        packing: how columns are packed.
        key: of the job, see `journal.key_of`; "" = never gone on with.
    """

    folder: Path
    _: KW_ONLY
    name: str
    game: GameSpec
    palette: np.ndarray | None = None
    level: str = ""
    outcome: str = "cut"
    source: str = ""
    fps: float | None = None
    corner: tuple[int, int] = (0, 0)
    packing: Packing = Packing()
    key: str = ""

    def __post_init__(self) -> None:
        self._states: list[np.ndarray] = []
        self._actions: list[int] = []
        self._numbers: list[int] = []
        self._group = 0

    def __enter__(self) -> EpisodeWriter:
        with ExitStack() as stack:
            journal = stack.enter_context(keeping(self.folder, self.key or os.urandom(8).hex()))
            self._temp, self._begun = journal.folder, Begun(journal)
            self._file = (self._temp / DATA).open("r+b" if self._begun.numbers else "w+b")
            stack.push(self._close)
            if not self._begun.numbers:
                self._file.write(HEADS[-1])
            self._file.truncate(self._file.seek(self._begun.offsets[-1]))
            self._hash = self._begun.hash
            self._held = stack.pop_all()
        self._frames: ColumnWriter | None = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._held.__exit__(kind, error, tb)

    def _close(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with suppress(OSError):  # a full disk fails again while closing
            self._file.close()
        if not self._begun.journal.done or isinstance(error, Changed):
            self.forget()

    def forget(self) -> None:
        """Leave nothing to be gone on with."""
        shutil.rmtree(self._temp, ignore_errors=True)

    @property
    def known(self) -> frozenset[int]:
        """Numbers of frames that need no pixels: those that a run before this one has packed."""
        return self._begun.known

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, frame: np.ndarray, number: int, state: np.ndarray | None, action: int | None) -> None:
        """Append one frame: uint8 [H, W] or [H, W, 3], its number (ascending), its memory uint8 [S], its buttons.

        Raises:
            Changed: it is not the one that was packed here before.
        """
        row, begun = len(self._numbers), self._begun
        if self._frames is None:
            packing = self.packing
            self._group = max(1, min(packing.frame_group, MAX_FRAME_GROUP_BYTES // frame.nbytes))
            self._frames = ColumnWriter(
                self._file, "frames", frame.shape, self._group, PLAIN, packing.level, begun.offsets, begun.sums
            )
            self._size = frame.shape[:2]
        self._numbers.append(number)
        if row < len(begun.numbers):
            begun.check(row, frame, number, self._group)
        else:
            self._hash.update(np.ascontiguousarray(frame).data)
            if self._frames.add(frame):
                begun.note(self._frames, self._numbers[-self._group :])
        if state is not None:
            self._states.append(state)
        if action is not None:
            self._actions.append(action)

    def finish(
        self, notes: dict[str, int] | None = None, source_json: bytes = b"{}\n", pairing: Pairing | None = None
    ) -> EpisodeInfo:
        """Pack what is left, write the description and move the folder to its place.

        Args:
            notes: counts of repairs and the like.
            source_json: content of the file that later tells whether the source has changed.
            pairing: how memory and pictures were put together, where that is known.
        Raises:
            ValueError: no frames, or state or actions for some frames only.
            Changed: there are fewer than were packed here before.
            OSError: the disk is full or cannot be written.
        """
        if self._frames is None:
            raise ValueError(f"{self.name}: an episode needs at least one frame")
        if len(self) < len(self._begun.numbers):
            raise Changed
        columns = [self._frames.finish(), *self._side_columns()]
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        info = EpisodeInfo(
            name=self.name,
            game=self.game.name,
            level=self.level,
            outcome=self.outcome,
            split="",
            frames=len(self._numbers),
            size=(int(self._size[0]), int(self._size[1])),
            fps=float(self.game.fps if self.fps is None else self.fps),
            runs=runs_of(np.array(self._numbers)),
            palette=self.palette,
            source=self.source,
            notes={k: v for k, v in (notes or {}).items() if v},
            content_hash=self._hash.hexdigest(),
            columns={column.name: column for column in columns},
            data_bytes=(self._temp / DATA).stat().st_size,
            data_sha256=digest_file(self._temp / DATA),
            pairing=pairing,
            corner=self.corner,
        )
        write_info(self._temp, info)
        (self._temp / SOURCE).write_bytes(source_json)
        (self._temp / JOURNAL).unlink()
        sync_folder(self._temp)
        if self.folder.exists():
            shutil.rmtree(self.folder)  # the caller has withdrawn the manifest that names it
        os.replace(self._temp, self.folder)
        sync_folder(self.folder.parent)
        return info

    def _side_columns(self) -> list[Column]:
        count, packing = len(self._numbers), self.packing
        numbers = np.array(self._numbers, np.int32)
        columns = []
        for name, entries in (("state", self._states), ("actions", self._actions)):
            if len(entries) not in (0, count):
                raise ValueError(f"{self.name}: {name} for {len(entries)} of {count} frames")
        if self._states:
            state = np.stack(self._states)
            columns.append(self._column("state", state, packing.state_group, SPARSE))
            if self.game.context_size:
                context = self.game.context(state, numbers)
                columns.append(self._column("context", context, packing.state_group, SPARSE))
            self._hash.update(state.data)
        if self._actions:
            actions = np.array(self._actions, np.uint8)
            columns.append(self._column("actions", actions, packing.action_group, PLAIN))
            self._hash.update(actions.data)
        self._hash.update(numbers.astype("<i4").data)
        self._hash.update(b"" if self.palette is None else self.palette.tobytes())
        if self.corner != (0, 0):
            self._hash.update(str(self.corner).encode())
        return columns

    def _column(self, name: str, rows: np.ndarray, group: int, layout: str) -> Column:
        writer = ColumnWriter(self._file, name, rows.shape[1:], group, layout, self.packing.level)
        for row in rows:
            writer.add(row)
        return writer.finish()
