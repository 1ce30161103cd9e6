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

_ENCODERS = ("libx264", "libx264rgb")
_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv")
_PASSES = 6
_THREADS = "2"  # with another number other bytes come out
_SLOPE = 4.0  # dB that half the quantizer is worth, about
_BOOST = 2.5  # most that a group is given more than others, as a power of two
_SPARE = 0.2  # dB above what was asked for that are aimed at
_CLOSE = 1.0  # dB above what was asked for up to which a group is as it should be
_ENOUGH = 1.5  # dB above it, of half of the groups, at which films are not coded once more to save bytes


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


def coded_again(path: Path, folder: Path, quality: float, gop: int, advance: Callable[[float], object]) -> CodedAgain:
    """Code a film anew into `folder`, with a key frame every `gop` frames.

    Each pass codes all of it and measures every group against the film; then hard groups get more bits, and all get as
    many as most need, until every one has `quality` dB.

    Args:
        advance: told of the share of the work that was done since the last call.
    Raises:
        DataError: it cannot be done, and why: the film is best kept as it is.
    """
    reader = FilmReader(path)
    facts = reader.facts
    target = folder / (path.name if path.suffix.lower() in _ENDINGS else f"{path.stem}.mkv")
    try:
        made = plan(target, reader.layout, (facts.height, facts.width), FilmOptions())
    except UsageError as error:
        raise DataError(str(error)) from None
    if made.encoder not in _ENCODERS or made.lost:
        raise DataError(f"{reader.layout.name} pictures of {facts.width}x{facts.height} are not coded anew by H.264")
    count = max(1, len(facts.times))
    crf = min(max(23.0 + (40.0 - quality), 1.0), 50.0)
    best: CodedAgain | None = None
    more = np.zeros(-(-count // gop))  # bits of hard groups, as a power of two
    size, least, own = 0, 0.0, path.stat().st_size
    for number in range(_PASSES):
        done = partial(advance, 0.25 / count if number < 2 else 0.0)  # two passes are usual
        trial = folder / f"{number}-{target.name}"
        asked = _asked(made, crf, gop, more)
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
        off = found - quality
        if best is not None and (float(np.median(off)) < _ENOUGH or number > 1):
            break
        need = np.clip((_SPARE * (1 + number) - off) / _SLOPE, -4.0, 4.0)
        need[(off >= 0) & (off <= _CLOSE)] = 0.0
        if number < 2:
            shift = float(np.median(more + need))
            more = np.clip(more + need - shift, 0.0, _BOOST)
        else:  # what helps one group may cost the next: all get more
            shift = float(need.max())
        crf = min(max(crf - 6 * shift, 0.0), 51.0)
    if best is None and size >= own:
        raise DataError(f"its own packets take no more than {quality:g} dB coded anew")
    if best is None:
        raise DataError(f"H.264 does not reach {quality:g} dB in all of its groups: {least:.1f} dB in the worst one")
    if best.path.stat().st_size >= own:
        raise DataError(f"its own packets take no more than {quality:g} dB coded anew")
    return best


def _asked(made: Plan, crf: float, gop: int, more: np.ndarray) -> Plan:
    """As `made`; groups get more bits as `more` says. None gets fewer: x264 begins each where the one before ended."""
    zones = "/".join(f"{k * gop},{(k + 1) * gop - 1},b={2.0**m:.4f}" for k, m in enumerate(more) if m)
    params = "qpstep=69" + (f":zones={zones}" if zones else "")  # quality may change at once
    options = {"preset": "veryfast", "tune": "psnr", "crf": f"{crf:g}", "g": str(gop), "keyint_min": str(gop),
               "sc_threshold": "0", "threads": _THREADS}  # fmt: skip
    return replace(made, options=options | {"x264-params": params})


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
