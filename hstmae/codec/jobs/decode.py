"""Episodes of a .hst file as other files: numpy arrays, pictures, and folders of the data set's own layout."""

from __future__ import annotations

import glob
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...atomic import TEMP_MARK, replacing, sync_files, write_json
from ...data.sources.finding import FileLooks, Layout, layout_of
from ...errors import CodecError, UsageError
from ...executor import Advance, run_all, threads_of, worker_count
from ...games import get_game
from ...names import portable_name, portable_names
from ...output import filling
from ..container.chunks import read_payload
from ..session.frame import HstFrame, rate
from ..session.reader import HstReader

if TYPE_CHECKING:
    from PIL.Image import Image

STEP = 1.0  # seconds between two notes of what is finished
MAX_NPZ = 8 << 30  # bytes that an .npz may hold: it is made in memory
_IN_NPZ = ("frames", "palette", "state", "actions", "frame_numbers", "fps", "name", "level", "outcome", "game")


@dataclass(frozen=True)
class Part:
    """Frames of one episode: its position in the file, and which of its frames."""

    position: int
    rows: range


def name_of(reader: HstReader, position: int) -> str:
    """What files and folders of an episode are called: its name, or where that is none for every system a near one."""
    return portable_names(description.name for description in reader.episodes())[position]


def parts_of(reader: HstReader, episode: str | None, frames: tuple[int | None, int | None] | None) -> list[Part]:
    """What `--episode` and `--frames a:b` ask for.

    Args:
        episode: name; None = all.
        frames: first and one behind the last, as in a slice, counted in that episode, or through all episodes in a row.
    Raises:
        CodecError: no such episode.
        UsageError: some of these frames are not there: nothing is cut in silence.
    """
    positions = range(len(reader.entries)) if episode is None else [reader.position(episode)]
    total = sum(reader.frames(k) for k in positions)
    start, stop = _within(frames or (None, None), total, f"{reader.path}{'' if episode is None else f': {episode}'}")
    parts, before = [], 0
    for k in positions:
        count = reader.frames(k)
        a, b = max(start - before, 0), min(stop - before, count)
        if a < b:
            parts.append(Part(k, range(a, b)))
        before += count
    return parts


def _within(frames: tuple[int | None, int | None], total: int, where: str) -> tuple[int, int]:
    """First and one behind the last of `total` frames; negative numbers count from the end, as in a slice."""
    a, b = frames
    start, stop = (at + total if at < 0 else at for at in (0 if a is None else a, total if b is None else b))
    if not 0 <= start < stop <= total:
        asked = f"{'' if a is None else a}:{'' if b is None else b}"
        one = "it has one frame, 0:1" if total == 1 else f"it has frames 0 to {total - 1}; all of them are 0:{total}"
        raise UsageError(f"--frames {asked}: {where}: {one}")
    return start, stop


def shown(
    reader: HstReader, part: Part, fps: float | None, blend: bool, start: int = 0
) -> Iterator[np.ndarray | HstFrame]:
    """Frames to be shown at a rate, without the first `start` of them: HstFrame as stored, or uint8 [H, W, 3] mixed of
    two neighbours where `blend`."""
    if fps is None or not blend:
        yield from reader.play(part.position, fps, part.rows, start)
        return
    step, k = rate(reader.episodes()[part.position].fps) / rate(fps), start
    held: dict[int, HstFrame] = {}

    def frame(row: int) -> HstFrame:
        if row not in held:
            held[row] = next(iter(reader.play(part.position, None, part.rows[row : row + 1])))
            held.pop(row - 2, None)
        return held[row]

    while (at := k * step) <= len(part.rows) - 1:
        row, share = int(at), at - int(at)
        if not share:
            yield frame(row)
        else:
            yield _mixed(frame(row).rgb, frame(row + 1).rgb, share)
        k += 1


def _mixed(a: np.ndarray, b: np.ndarray, share: Fraction) -> np.ndarray:
    """uint8, `share` of `b` and the rest of `a`, rounded."""
    n, d = share.numerator, share.denominator
    return ((a.astype(np.int64) * (d - n) + b.astype(np.int64) * n + d // 2) // d).astype(np.uint8)


def picture_of(frame: np.ndarray | HstFrame) -> Image:
    """For Pillow: indexed where the frame is, so that nothing is lost."""
    from PIL import Image

    if isinstance(frame, np.ndarray) or frame.palette is None:
        return Image.fromarray(frame if isinstance(frame, np.ndarray) else frame.pixels)
    height, width = frame.pixels.shape
    picture = Image.frombytes("P", (width, height), np.ascontiguousarray(frame.pixels).tobytes())
    picture.putpalette(frame.palette.tobytes() + bytes(768 - frame.palette.size))
    return picture


def write_png(
    frames: Iterable[np.ndarray | HstFrame],
    folder: Path,
    progress: Callable[[int], object],
    *,
    numbered: bool = True,
    start: int = 0,
    note: Callable[[list[int]], object] | None = None,
) -> int:
    """One PNG per frame, named by the recorder's number of it: f000090.png and so on.

    Args:
        numbered: False counts the files instead: at another rate a frame may come again, or be a mixture of two.
        start: how many are there already.
        note: called every second, and whatever ends this, with the places that are on the disk since the last call.
    Returns:
        How many there are, those before `start` included.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count, last, noted = start, time.monotonic(), start
    waiting: list[Path] = []

    def settle() -> None:
        if note is not None and count > noted:
            sync_files(waiting)
            note([*range(noted, count)])
        waiting.clear()

    try:
        for frame in frames:
            number = frame.number if numbered and isinstance(frame, HstFrame) else count
            waiting.append(folder / f"f{number:06d}.png")
            picture_of(frame).save(waiting[-1])
            count += 1
            progress(1)
            if time.monotonic() - last > STEP:
                settle()
                last, noted = time.monotonic(), count
    finally:
        if waiting and len(waiting) > count - noted:
            waiting.pop()  # it was being written
        settle()
    return count


def write_npz(reader: HstReader, part: Part, path: Path, progress: Callable[[int], object]) -> None:
    """frames, palette, state, actions, frame_numbers, fps, name, level and outcome in one file, whole or not at all.

    Raises:
        UsageError: more than memory should be asked for.
    """
    description = reader.episodes()[part.position]
    if description.raw_bytes(len(part.rows)) > MAX_NPZ:
        raise UsageError(f"{path}: {len(part.rows)} frames are too many for one .npz: give --frames a:b")
    episode = reader.read(part.position, part.rows)
    values: dict[str, Any] = {name: getattr(episode, name) for name in _IN_NPZ}
    with replacing(path) as temp:
        np.savez_compressed(temp, **{name: value for name, value in values.items() if value is not None})
    progress(len(part.rows))


def remove_unfinished(reader: HstReader, parts: list[Part], folder: Path) -> None:
    """Delete what killed processes left of these episodes. No other process may be writing them."""
    for part in parts:
        for leftover in folder.glob(f".{glob.escape(name_of(reader, part.position))}{TEMP_MARK}*"):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()


def write_recording(
    reader: HstReader, part: Part, folder: Path, progress: Callable[[int], object], overwrite: bool = False
) -> tuple[Path, int]:
    """An episode as a folder of the data set's layout: as it was, where the file tells how that looked.

    Returns:
        The episode's folder, and how many of its files are named and packed as the original ones were. Of a damaged
        file, those whose memory was lost with another frame are not written.
    Raises:
        DataError: it lacks memory, buttons or a palette, or has another size.
        UsageError: the folder has content and `overwrite` is False.
        CodecError: the file is damaged.
    """
    description = reader.episodes()[part.position]
    target = folder / name_of(reader, part.position)
    layout = layout_of(get_game(description.game))
    if layout is None:
        what = f"recordings of '{description.game}'"
        raise UsageError(f"{description.name}: {what} have no layout of their own; choose another --to")
    looks = _looks(reader, part.position, layout)
    if looks is None or looks.rows != description.frames:
        path = layout.write(reader.read(part.position, part.rows), folder, overwrite)
        progress(len(part.rows))
        return path, 0
    # Positions in the whole episode of its frames that are there.
    gops = reader.entries[part.position].gops
    places = np.concatenate([np.arange(header.first, header.first + header.frames) for _, header in gops])

    def frames() -> Iterator[tuple[int, HstFrame]]:
        # One frame more on either side: the memory of a file may lie there.
        for frame in reader.play(part.position, None, range(max(0, part.rows.start - 1), min(len(places), end + 1))):
            if frame.state is None or frame.action is None:
                raise CodecError(f"{reader.path}: {description.name}: lacks memory or buttons")
            yield int(places[frame.index]), frame
            progress(frame.index in part.rows)

    end, count = part.rows.stop, 0
    wanted = range(int(places[part.rows.start]), int(places[end - 1]) + 1)
    with filling(target, overwrite) as temp:
        for file in looks.own_files(frames(), wanted, description.outcome):
            if file is not None:
                if portable_name(file[0]) != file[0]:
                    raise CodecError(f"{reader.path}: {description.name}: {file[0]!r} is no name of a file")
                (temp / file[0]).write_bytes(file[1])
                count += 1
    return target, count


def _looks(reader: HstReader, position: int, layout: Layout) -> FileLooks | None:
    place = reader.entries[position].files
    packed = None if place is None else read_payload(reader.data, *place)
    palette = reader.episodes()[position].colours
    return None if packed is None or palette is None else layout.looks(packed, palette)


def _write(
    make: partial[HstReader], folder: Path, overwrite: bool, kept: Path | None, part: Part, advance: Advance
) -> Iterator[int]:
    mark = None if kept is None else kept / f"{part.position}.done"
    if mark is not None and mark.exists():
        advance(len(part.rows))
        yield int(json.loads(mark.read_bytes()))
        return
    with make() as reader:
        count = write_recording(reader, part, folder, advance, overwrite)[1]
        if mark is not None:
            write_json(mark, count)
        if reader.groups.keep is not None:
            reader.groups.keep.forget(part.position)
    yield count


def write_recordings(
    reader: HstReader, parts: Sequence[Part], folder: Path, workers: int, progress: Advance, overwrite: bool = False,
    kept: Path | None = None,
) -> int:  # fmt: skip
    """`write_recording` for many episodes, in processes side by side; 0 = one per core.

    Args:
        kept: folder for what a job that was interrupted goes on with.
    Returns:
        How many files are named and packed as the original ones were.
    """
    threads = threads_of(workers, len(parts))
    write = partial(
        _write, partial(HstReader, reader.path, keep=kept, threads=threads, **reader.options), folder, overwrite, kept
    )
    return sum(run_all(write, parts, workers=worker_count(workers, len(parts)), advance=progress))
