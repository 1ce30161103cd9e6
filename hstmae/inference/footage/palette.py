"""What `restore` takes: pictures, folders of them, films, or a store, all read a stretch of frames at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...data.episode import Episode
from ...data.sources.finding import layout_of
from ...data.sources.side_file import find_side_file, read_side_file
from ...data.sources.video import natural_order
from ...data.store.manifest import is_store
from ...errors import DataError
from ...games import GameSpec, get_game
from ...pictures.colours import pack_rgb
from ...pictures.indexed import Picture, end_of_png, read_picture
from ...pictures.true_colour import RgbPicture

if TYPE_CHECKING:
    from ...data.store.reader import EpisodeStore

AnyPicture = Picture | RgbPicture

_NUMBERED = re.compile(r"_f(\d{1,9})_a\d+_.*\.png$", re.IGNORECASE)


@dataclass
class Stretch:
    """Some consecutive frames of a footage.

    Attributes:
        files: the name to write each restored frame to.
        pictures: one per frame.
        state: uint8 [T, S] or None; context: uint8 [T, C] or None.
        frame_numbers: int64 [T].
    """

    files: list[str]
    pictures: Sequence[AnyPicture]
    state: np.ndarray | None
    context: np.ndarray | None
    frame_numbers: np.ndarray


class Footage(Protocol):
    """One sequence of frames of one size.

    `name` is "" for an input that is itself the sequence; `count` is its number of frames, of a film about that; `fps`
    is None for what is no film; `place` names the input in messages.
    """

    name: str
    count: int
    has_state: bool

    @property
    def fps(self) -> float | None: ...

    @property
    def place(self) -> str: ...

    def signature(self) -> list[list[object]]:
        """JSON values that change when the input changes."""

    def read(self, start: int, end: int) -> Stretch:
        """The frames from position `start` to `end`, or to where the footage ends.

        Raises:
            DataError: a frame cannot be read.
        """


class FileFootage:
    """PNG files in order: by frame number where the names hold one (`..._f12_a0_...png`), else in natural order.

    The state, if `with_state`, is the memory appended to the files where every file has it, or that of the side file.
    """

    fps: float | None = None

    def __init__(
        self, name: str, paths: list[Path], game: GameSpec, with_state: bool = True, side: Path | None = None
    ) -> None:
        self.name = name
        self._game = game
        self._paths, self._numbers = _in_order(paths)
        self.files = [p.name for p in self._paths]
        self.count = len(self.files)
        self.state = self._read_state(side) if with_state else None
        self.has_state = self.state is not None
        self._context = (
            game.context(self.state, self._numbers) if self.state is not None and game.context_size else None
        )
        self._size: tuple[int, int] | None = None

    @property
    def place(self) -> str:
        return str(self._paths[0])

    def signature(self) -> list[list[object]]:
        return [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in self._paths]

    def _read_state(self, side: Path | None) -> np.ndarray | None:
        layout, rows = layout_of(self._game), []
        if layout is not None:
            for path in self._paths:
                tail = _tail(path)
                if not tail:
                    break
                try:
                    rows.append(layout.memory(tail))
                except DataError as error:
                    raise DataError(
                        f"{path}: what is appended to it is no memory of the game: {error}; leave it out with "
                        "--state none"
                    ) from None
            else:
                return np.stack(rows)
        state = None if side is None else read_side_file(side, self._game.state_size).state
        if state is not None and len(state) != self.count:
            raise DataError(f"{side}: has {len(state)} frames, the folder {self.count} pictures")
        return state

    def read(self, start: int, end: int) -> Stretch:
        pictures = [read_picture(p, self._game) for p in self._paths[start:end]]
        for path, picture in zip(self._paths[start:end], pictures, strict=True):
            self._size = one_size(path, picture, self._size)
        return Stretch(
            self.files[start:end],
            pictures,
            None if self.state is None else self.state[start:end],
            None if self._context is None else self._context[start:end],
            self._numbers[start:end],
        )


class StoreFootage:
    """One episode of a store; frames become `f000123.png` by their number."""

    fps: float | None = None

    def __init__(self, store: EpisodeStore, episode: int) -> None:
        self._store, self._episode = store, episode
        info = store.info(episode)
        self.name = info.name
        self.has_state = info.has_state and get_game(store.game).state_size > 0
        self.files = [f"f{n:06d}.png" for n in info.frame_numbers.tolist()]
        self.count = info.frames

    @property
    def place(self) -> str:
        return f"{self._store.path}/{self.name}"

    def signature(self) -> list[list[object]]:
        return [[str(self._store.path), self._store.hash, self.name]]

    def read(self, start: int, end: int) -> Stretch:
        end = min(end, self.count)
        part = self._store.read(self._episode, range(start, end))
        pictures = [_picture_of(frame, part) for frame in part.frames]
        state = part.state if self.has_state else None
        return Stretch(self.files[start:end], pictures, state, part.context, part.frame_numbers)


def one_size(path: Path, picture: AnyPicture, size: tuple[int, int] | None) -> tuple[int, int]:
    """`size` (height, width), which `picture` has to have; its own where there is none yet. Raises DataError."""
    if size not in (None, picture.size):
        raise DataError(
            f"{path}: is {picture.size[1]}x{picture.size[0]}, the frames before it {size[1]}x{size[0]}; "
            "restore sizes one by one"
        )
    return picture.size


def _picture_of(frame: np.ndarray, episode: Episode) -> AnyPicture:
    if episode.palette is None:
        return RgbPicture(frame, np.zeros(frame.shape[:2], bool))
    return Picture(
        indices=frame.astype(np.int16),
        packed=pack_rgb(episode.palette)[frame],
        missing=np.zeros(frame.shape, bool),
        palette=episode.palette,
        stored=frame,
        entries=episode.palette,
        meaning=np.arange(len(episode.palette), dtype=np.int16),
        tail=b"",
    )


def _tail(path: Path) -> bytes:
    """Bytes behind the PNG proper; empty for a plain PNG."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return data[end_of_png(data, str(path)) :]


def _in_order(paths: list[Path]) -> tuple[list[Path], np.ndarray]:
    found = [_NUMBERED.search(p.name) for p in paths]
    if not all(found):
        return sorted(paths, key=lambda p: natural_order(p.name)), np.arange(len(paths))
    numbers = [int(match.group(1)) for match in found if match]
    order = sorted(range(len(paths)), key=lambda i: (numbers[i], paths[i].name))
    ordered = np.array([numbers[i] for i in order])
    twice = np.flatnonzero(np.diff(ordered) == 0)
    if len(twice):
        raise DataError(f"{paths[order[twice[0] + 1]]}: a second file for frame {ordered[twice[0]]}")
    return [paths[i] for i in order], ordered


def open_footage(path: Path, game: str = "smb", with_state: bool = True) -> Iterator[Footage]:
    """The sequences of an input: one for a file or a folder of frames, one per folder, film or episode otherwise.

    Args:
        path: a PNG file, a folder with PNG files in it or below it, or a store; for a game without a palette also JPEG
            files and films.
        game: registered name of the game that the footage shows.
        with_state: False leaves memory that is appended to PNG files unread.
    Raises:
        DataError: nothing there that can be restored.
    """
    spec = get_game(game)
    if is_store(path):
        from ...data.store.reader import EpisodeStore

        store = EpisodeStore(path)
        if store.game != game:
            raise DataError(f"{path}: is a store of '{store.game}', not of '{game}'")
        for episode in range(len(store)):
            yield StoreFootage(store, episode)
    elif path.exists() and not len(spec.palette):
        from .true_colour import open_true_colour

        yield from open_true_colour(path, spec, with_state)
    elif path.is_file():
        if path.suffix.lower() != ".png":
            raise DataError(
                f"{path}: is not a PNG file; convert footage of '{game}' to PNG frames first (a true-colour model, "
                "--game generic, restores films and JPEG files)"
            )
        yield FileFootage("", [path], spec, with_state)
    elif path.is_dir():
        folders = sorted({p.parent for p in path.rglob("*") if p.suffix.lower() == ".png"})
        if not folders:
            raise DataError(f"{path}: holds no PNG files and is no finished store")
        for folder in folders:
            files = [p for p in folder.iterdir() if p.suffix.lower() == ".png"]
            name = "" if folder == path else str(folder.relative_to(path))
            side = find_side_file(folder.resolve()) if spec.state_size else None
            yield FileFootage(name, files, spec, with_state, side)
    else:
        raise DataError(f"{path}: no such file or folder")
