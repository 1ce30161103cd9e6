"""Cutting an emulated run of Super Mario Bros. into episodes, with the picture and memory paired as in smbdataset.

A frame of the console draws its picture from the memory of the frame before and then runs the game: read after the same
frame, the memory belongs to the next picture (lag +1, see `data.pairing`). This pairs them as it records: it keeps the
memory of a frame, and its buttons, for the picture of the next one.

Recorded is play alone: mode [0x770] = 1, task [0x772] = 3, not paused [0x776] = 0. An episode ends as "fail" when a
life [0x75A] is lost, as "win" when the level [0x75C], [0x75F] changes or a castle is won (mode 2), and as "cut" at a
reset or the end of the movie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import zstandard

from ....errors import DataError
from ....games import get_game
from ...episode import Episode
from ...pairing import Pairing
from ..base import AT_HAND, Report, SourceFrame, as_episode
from ..movies.movie import Movie
from .emulator import NesEmulator

GAME = "smb"


@dataclass
class RecordedEpisode:
    """A session kept in memory, pictures compressed; a `SourceEpisode` for the store.

    Attributes:
        user, session, index: parts of its name: `<user>_<session>_e<index>_<level>[_<outcome>]`.
        level, outcome: as in Episode.
    """

    user: str
    session: str
    index: int
    level: str
    outcome: str = "cut"
    _frames: list[tuple[int, bytes, np.ndarray, int]] = field(default_factory=list)  # number, picture, state, action
    fps: ClassVar[float | None] = None
    pairing: ClassVar[Pairing] = Pairing(1, "recorder")

    @property
    def name(self) -> str:
        suffix = "" if self.outcome == "cut" else f"_{self.outcome}"
        return f"{self.user}_{self.session}_e{self.index}_{self.level}{suffix}"

    @property
    def size(self) -> int:
        return len(self._frames)

    def add(self, number: int, picture: np.ndarray, state: np.ndarray, action: int) -> None:
        self._frames.append((number, zstandard.ZstdCompressor(1).compress(picture.tobytes()), state, action))

    def signature(self, content: bool = False) -> list[list[object]]:
        numbers, actions = (np.array([frame[k] for frame in self._frames], kind) for k, kind in ((0, "<i4"), (3, "u1")))
        running = hashlib.sha256(numbers.tobytes() + actions.tobytes())
        for frame in self.frames():
            running.update(frame.pixels.tobytes())
            running.update(frame.state.tobytes() if frame.state is not None else b"")
        return [["recorded", running.hexdigest()]]

    def frames(
        self, report: Report | None = None, notes: dict[str, int] | None = None, known: Container[int] = ()
    ) -> Iterator[SourceFrame]:
        game, unpack = get_game(GAME), zstandard.ZstdDecompressor()
        for number, packed, state, action in self._frames:
            picture = AT_HAND
            if number not in known:
                picture = np.frombuffer(unpack.decompress(packed), np.uint8).reshape(game.native_size)
            yield SourceFrame(number, picture, game.palette, state, action)

    def episode(self) -> Episode:
        """All of it, unpacked."""
        return as_episode(self, list(self.frames()), get_game(GAME), {})


def play_movie(
    emulator: NesEmulator, movie: Movie, *, user: str = "hstmae", session: str = "movie", first: int = 0
) -> Iterator[RecordedEpisode]:
    """Play a movie from power-on and give its episodes as they end, numbered from `first`.

    Frame numbers are the emulator's, counted from 1 at the episode's first frame: load screens and pauses are gaps.

    Args:
        user, session: parts of the episodes' names; `session` without "_".
    Raises:
        DataError: the emulator cannot go on; the episode that was being played comes before that, as far as it went.
    """
    emulator.power()
    pokes, resets = _by_frame(movie.pokes), _by_frame(movie.resets)
    current: RecordedEpisode | None = None
    lives, place, start, index = 0, (0, 0), 0, first
    pending: tuple[np.ndarray, int] | None = None  # memory and buttons that wait for the next picture
    for t, action in enumerate([*movie.actions.tolist(), 0]):
        for _, kind in resets.get(t, ()):
            if current is not None and current.size:
                yield current
                index += 1
            current = pending = None
            if kind == "hard":
                emulator.power()
            else:
                emulator.reset()
        for _, address, value in pokes.get(t, ()):
            emulator.poke(address, value)
        try:
            emulator.step(action)
            picture = emulator.picture() if pending is not None else None
        except DataError:
            if current is not None and current.size:  # what was played so far
                yield current
            raise
        if current is not None and pending is not None and picture is not None:
            current.add(t - start, picture, *pending)
        pending = None
        ram = emulator.ram()
        if current is not None:
            current.outcome = _outcome(ram, place, lives)
            if current.outcome != "cut":
                if current.size:
                    yield current
                    index += 1
                current = None
            else:
                lives = int(ram[0x75A])
        if t < len(movie) and ram[0x770] == 1 and ram[0x772] == 3 and ram[0x776] == 0:
            if current is None:
                lives, place, start = int(ram[0x75A]), _place(ram), t
                current = RecordedEpisode(user, session, index, f"{place[0] + 1}-{place[1] + 1}")
            pending = (ram, action)
    if current is not None and current.size:
        yield current


def _by_frame(events: tuple[tuple, ...]) -> dict[int, list[tuple]]:
    found: dict[int, list[tuple]] = {}
    for event in events:
        found.setdefault(event[0], []).append(event)
    return found


def _place(ram: np.ndarray) -> tuple[int, int]:
    return int(ram[0x75F]), int(ram[0x75C])


def _outcome(ram: np.ndarray, place: tuple[int, int], lives: int) -> str:
    """How the running episode has just ended; "cut" while it goes on."""
    if ram[0x75A] == (lives - 1) & 0xFF:
        return "fail"
    if _place(ram) != place or ram[0x770] == 2:
        return "win"
    return "cut"
