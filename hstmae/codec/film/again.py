"""A film coded anew, smaller: every group of it has the quality that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np

from ...errors import DataError, UsageError
from ...film.codecs import FilmOptions, Plan, plan
from ...film.layout import Planes
from ...film.reading import FilmReader
from ...film.writing import write_film
from .quality import NAMES, PASSES, SEARCHES

_ENCODERS = {
    "h264": ("libx264", "libx264rgb"),
    "vp9": ("libvpx-vp9",),
    "av1": ("libsvtav1", "libaom-av1"),
}
_ENDINGS = {
    "h264": (".mp4", ".m4v", ".mov", ".mkv"),
    "vp9": (".mp4", ".mkv", ".webm"),
    "av1": (".mp4", ".mkv", ".webm"),
}


@dataclass(frozen=True)
class CodedAgain:
    """A film that was coded anew.

    Attributes:
        path: of the file.
        least: PSNR in dB (of the film's own samples, all channels together) of its worst group.
        lost: what of the film is not in it, one sentence each.
    """

    path: Path
    least: float
    lost: tuple[str, ...]


def coded_again(
    path: Path, folder: Path, quality: float, gop: int, advance: Callable[[float], object], codec: str = "h264"
) -> CodedAgain:
    """Code a film anew into `folder`, with a key frame every `gop` frames.

    Each pass codes all of it and measures every group against the film, until every one has `quality` dB; see `quality`
    for what is tried.

    Args:
        codec: one of `quality.NAMES`.
        advance: told of the share of the work that was done since the last call.
    Raises:
        DataError: it cannot be done, and why: the film is best kept as it is.
    """
    reader = FilmReader(path)
    facts = reader.facts
    made, target = _planned(reader, folder, codec)
    count = max(1, len(facts.times))
    search = SEARCHES[codec](quality, gop, -(-count // gop), made.encoder)
    best: CodedAgain | None = None
    size, least, own = 0, 0.0, path.stat().st_size
    for number in range(PASSES):
        done = partial(advance, 0.25 / count if number < 2 else 0.0)  # two passes are usual
        trial = folder / f"{number}-{target.name}"
        asked = replace(made, options=search.options())
        lost = write_film(trial, _frames(reader, done), facts, reader.colours, asked, path)
        if reader.damage:
            raise DataError(f"is damaged: {reader.damage[0]}")
        found = group_psnr(reader, FilmReader(trial), gop, done)
        least, size = float(found.min()), trial.stat().st_size
        if least < quality and size >= own:
            break  # it takes more than the film does, and does not reach that
        if least >= quality and (best is None or size < best.path.stat().st_size):
            trial.replace(target)
            best = CodedAgain(target, least, tuple(lost))
        trial.unlink(missing_ok=True)
        if search.is_done(found, best is not None):
            break
    if best is None and size >= own:
        raise DataError(f"its own packets take no more than {quality:g} dB coded anew")
    if best is None:
        name = NAMES[codec]
        raise DataError(f"{name} does not reach {quality:g} dB in all of its groups: {least:.1f} dB in the worst one")
    if best.path.stat().st_size >= own:
        raise DataError(f"its own packets take no more than {quality:g} dB coded anew")
    return best


def _planned(reader: FilmReader, folder: Path, codec: str) -> tuple[Plan, Path]:
    """By which encoder, and into which file. Raises DataError: by none that keeps the kind of its pictures."""
    facts, path = reader.facts, reader.path
    encoders, endings = _ENCODERS[codec], _ENDINGS[codec]
    target = folder / (path.name if path.suffix.lower() in endings else f"{path.stem}.mkv")
    why = ""
    for encoder in encoders:
        try:
            options = FilmOptions("" if codec == "h264" else encoder)
            made = plan(target, reader.layout, (facts.height, facts.width), options)
        except UsageError as error:
            why = str(error)
            continue
        if made.encoder in encoders and not made.lost and made.layout == reader.layout:
            return made, target
        why = f"{reader.layout.name} pictures of {facts.width}x{facts.height} are not coded anew by {NAMES[codec]}"
    raise DataError(why)


def _frames(reader: FilmReader, done: Callable[[], object]) -> Iterator[tuple[int, Planes]]:
    for frame in reader.frames():
        yield frame.time, frame.planes
        done()


def group_psnr(source: FilmReader, made: FilmReader, gop: int, done: Callable[[], object]) -> np.ndarray:
    """PSNR in dB of each group, float64 [groups]. Raises DataError: other frames than the source has."""
    if source.layout != made.layout:
        raise DataError(f"its {source.layout.name} pictures become {made.layout.name}")
    errors, peak = list[list[float]](), float((1 << source.layout.bits) - 1)
    for a, b in zip_longest(source.frames(), made.frames()):
        if a is None or b is None:
            raise DataError("coded anew it has another number of frames")
        if a.number % gop == 0:
            errors.append([])
        errors[-1].append(_error(a.planes, b.planes) / peak**2)
        done()
    return np.array([-10 * math.log10(max(sum(group) / len(group), 1e-14)) for group in errors])


def _error(a: Planes, b: Planes) -> float:
    """Mean squared difference of all samples."""
    error = 0.0
    for x, y in zip(a, b, strict=True):
        d = np.subtract(x, y, dtype=np.float32).ravel()
        error += float(d @ d)
    return error / sum(x.size for x in a)
