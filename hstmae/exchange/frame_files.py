"""Source *one .npz a frame*: folders in which each frame is a file of arrays, a picture in RGB and numbers."""

from __future__ import annotations

import zipfile
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..codec.jobs.inputs import Found
from ..data.sources.base import Problem, Report, SourceFrame, file_stamp
from ..data.sources.video import natural_order
from ..errors import DataError, UsageError
from ..games import get_game
from .columns import Column, pack_rows

GAME = "generic"
MAX_BYTES = 256 << 20  # unpacked, of one file


def is_frame_files(path: Path) -> bool:
    """Whether the folder, or one in it, holds .npz files with a picture each."""
    return path.is_dir() and any(_picture(_look(files[0])) is not None for files in _folders(path).values())


def _folders(path: Path) -> dict[Path, list[Path]]:
    """The .npz files of each folder, in natural order."""
    found: dict[Path, list[Path]] = {}
    for file in path.rglob("*.npz"):
        if file.is_file() and not file.name.startswith("."):
            found.setdefault(file.parent, []).append(file)
    return {folder: sorted(found[folder], key=lambda f: natural_order(f.name)) for folder in sorted(found)}


def _look(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a file; none where it cannot be read."""
    try:
        return _arrays(file)
    except DataError:
        return {}


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise DataError(f"{file.name}: unpacks to {size:,} bytes; at most {MAX_BYTES:,} are one frame")
        with np.load(file, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in arrays.files}
    except DataError:
        raise
    except Exception as error:  # numpy parses heads of arrays as Python text: damaged ones may raise nearly anything
        raise DataError(f"{file.name}: cannot be read ({type(error).__name__}: {error})") from None


def _picture(arrays: dict[str, np.ndarray]) -> str | None:
    """Name of the array that is the picture: uint8 [H, W, 3], the only one."""
    found = [n for n, a in arrays.items() if a.dtype == np.uint8 and a.ndim == 3 and a.shape[2] == 3]
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class FrameFilesEpisode:
    """A folder of such files, numbered by their place in it."""

    name: str
    folder: Path
    files: tuple[str, ...] = field(repr=False)
    picture: str
    columns: tuple[Column, ...]
    fps: float
    level: str = ""
    outcome: str = "cut"
    game: str = GAME

    @property
    def size(self) -> int:
        return len(self.files)

    def signature(self, content: bool = False) -> list[list[object]]:
        paths = [self.folder / name for name in self.files]
        return [[p.name, p.stat().st_size, file_stamp(p, content)] for p in paths]

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        size: tuple[int, ...] | None = None
        for number, name in enumerate(self.files):
            try:
                arrays = _arrays(self.folder / name)
                pixels = arrays.get(self.picture)
                if pixels is None or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
                    raise DataError(f"has no picture '{self.picture}', as the first file has")
                if size is not None and pixels.shape != size:
                    raise DataError(f"is {pixels.shape[1]}x{pixels.shape[0]}, others are {size[1]}x{size[0]}")
                state = self._state(arrays)
            except DataError as error:
                report(Problem(self.name, name, str(error)))
                continue
            size = pixels.shape
            yield SourceFrame(number, np.ascontiguousarray(pixels), None, state, None)

    def _state(self, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
        if not self.columns:
            return None
        for column in self.columns:
            value = arrays.get(column.name)
            if value is None or value.shape != column.shape or str(value.dtype) != column.dtype:
                was = "none" if value is None else f"{value.dtype} {list(value.shape)}"
                raise DataError(f"'{column.name}' is {was}, in the first file {column.dtype} {list(column.shape)}")
        return pack_rows(self.columns, {c.name: arrays[c.name][None] for c in self.columns}, 1)[0]


def find_frame_files(root: Path, camera: str | None = None) -> tuple[Found, list[str]]:
    """As `find_lerobot`. Buttons and other numbers become columns under their names; no order of buttons is assumed.

    Raises:
        DataError: no folder of such files.
        UsageError: a camera is named.
    """
    if camera is not None:
        raise UsageError(f"--camera {camera}: files of one picture have no cameras")
    episodes: list[FrameFilesEpisode] = []
    lost: list[str] = []
    for folder, files in _folders(root).items():
        arrays = _arrays(files[0])
        picture = _picture(arrays)
        if picture is None:
            lost.append(f"{folder}: {files[0].name} holds no picture uint8 [H, W, 3]")
            continue
        columns = [
            Column(n, str(a.dtype), a.shape) for n, a in arrays.items() if n != picture and a.dtype.kind in "biuf"
        ]
        others = [n for n, a in arrays.items() if n != picture and a.dtype.kind not in "biuf"]
        lost += [f"{folder.name}: '{n}' is no number" for n in others]
        inside = "" if folder == root else "__".join(folder.relative_to(root).parts)
        name = inside or root.resolve().name
        episodes.append(FrameFilesEpisode(
            name, folder, tuple(f.name for f in files), picture, tuple(columns), float(get_game(GAME).fps)
        ))  # fmt: skip
    if not episodes:
        raise DataError(f"{root}: holds no .npz files with a picture uint8 [H, W, 3]")
    kinds = {episode.columns for episode in episodes}
    if len(kinds) > 1:
        raise UsageError(f"{root}: its folders have different arrays; take those that have the same in one run each")
    about = {"foreign": "npz", "state": [column.to_json() for column in episodes[0].columns]}
    return Found("npz", GAME, [*episodes], columns=about), lost
