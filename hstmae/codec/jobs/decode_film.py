"""Episodes of a .hst file as films: the very file that was packed, its packets in another container, or a new film."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path

from ...atomic import TEMP_MARK, replacing
from ...errors import CodecError, UsageError
from ...film.codecs import FilmOptions, Plan, plan
from ...film.colour import Colours
from ...film.copying import copy_film
from ...film.facts import FilmFacts
from ...film.layout import Planes, layout_of
from ...film.writing import write_film
from ..film.head import FilmHead
from ..session.frame import HstFrame, rate
from ..session.reader import HstReader
from .decode import Part, shown

QUALITY = 16.0  # of films that are coded anew, as x264's crf
_NOT_KEPT = "not kept: {}".format
# FFmpeg's names of containers -> endings of their files.
_ENDINGS = {
    "mov": (".mp4", ".mov", ".m4v", ".3gp", ".3g2"),
    "matroska": (".mkv", ".webm"),
    "mpegts": (".ts", ".m2ts", ".mts"),
    "mpeg": (".mpg", ".mpeg", ".vob"),
    "asf": (".wmv", ".asf"),
    "ogg": (".ogv", ".ogg"),
}


def write_as_film(
    reader: HstReader, part: Part, path: Path, fps: float | None, blend: bool, advance: Callable[[int], object]
) -> list[str]:
    """Write an episode, or frames of it, as one film, whole or not at all.

    A film that was kept as it is comes back as the very file, or for another ending of the name as its own packets in
    another container. Frames of it, another rate, and every other episode become a new film.

    Returns:
        Lines about what was done, and what could not be kept.
    Raises:
        UsageError: the film's kind is not known, or cannot hold the pictures.
        CodecError: the file is damaged.
    """
    film = reader.groups.film(part.position)
    if film is None:
        return _new(reader, part, path, fps, blend, advance)
    whole = fps is None and len(part.rows) == reader.frames(part.position)
    own = _endings(film.head)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}{TEMP_MARK}{os.getpid()}-{os.urandom(4).hex()}{own[0]}")
    try:
        _fill(beside, film.file(advance if whole else lambda count: None))
        if whole and path.suffix.lower() in own:
            with replacing(path) as temp:
                os.replace(beside, temp)
            return ["the very file that was packed, byte for byte"]
        if whole:
            lines = copy_film(beside, path)
            return ["its own packets in another container, nothing was coded anew", *map(_NOT_KEPT, lines)]
        return _new(reader, part, path, fps, blend, advance, beside)
    except (CodecError, UsageError) as error:
        source = beside if isinstance(error, UsageError) else None
        return [*_new(reader, part, path, fps, blend, lambda count: None, source), _NOT_KEPT(str(error))]
    finally:
        beside.unlink(missing_ok=True)


def _endings(head: FilmHead) -> tuple[str, ...]:
    """What a film's file may be called: as it was, where that is known; else as files of its kind are."""
    name = head.container.split(",")[0]
    usual = _ENDINGS.get(name, (f".{name}",))
    ending = Path(head.file).suffix.lower()
    return (ending,) if ending in usual or (ending and name not in _ENDINGS) else usual


def _fill(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def _new(
    reader: HstReader,
    part: Part,
    path: Path,
    fps: float | None,
    blend: bool,
    advance: Callable[[int], object],
    source: Path | None = None,
) -> list[str]:
    """A film that is coded anew, lossy, with the times of the film that it was, where it was one.

    Args:
        source: that film, for its sound and other streams.
    """
    description = reader.episodes()[part.position]
    size = (description.height, description.width)
    even = size[0] % 2 == size[1] % 2 == 0  # where one sample of colour serves four pixels sides must be even
    made = plan(path, layout_of("yuv420p" if even else "yuv444p"), size, FilmOptions(quality=QUALITY))
    known = reader.film(part.position)
    facts = _plain(description.width, description.height, rate(fps or description.fps), made)
    stamps: Iterable[int] = count()
    facts = replace(facts, plays=None if known is None else known.plays)
    span: tuple[Fraction, Fraction | None] = (Fraction(0), None)
    if known is not None and len(known.times) == reader.frames(part.position):
        cut = known.shifted(part.rows[0], part.rows[-1] + 1)
        facts = replace(
            facts, chapters=cut.chapters, metadata=known.metadata, sample_aspect=_upright_aspect(known),
            streams=known.streams,
        )  # fmt: skip
        first = known.times[part.rows[0]] * known.time_base
        span = (first, None if part.rows[-1] + 1 == len(known.times) else first + cut.end * cut.time_base)
        if fps is None:
            facts = replace(facts, time_base=cut.time_base, times=cut.times, end=cut.end, rate=known.rate)
            stamps = cut.times
    colours = Colours(made.layout, facts.matrix, made.layout.kind == "rgb")

    def frames() -> Iterator[tuple[int, Planes]]:
        for stamp, frame in zip(stamps, shown(reader, part, fps, blend), strict=False):
            yield stamp, colours.native(frame.rgb if isinstance(frame, HstFrame) else frame)
            advance(1)

    lost = write_film(path, frames(), facts, colours, made, source, span)
    if source is None:
        lost += [f"{stream} is given back with what was kept as a film only" for stream in facts.streams]
    return ["coded anew, lossy", *map(_NOT_KEPT, lost)]


def _plain(width: int, height: int, per_second: Fraction, made: Plan) -> FilmFacts:
    """Facts of a film of RGB pictures at a constant rate."""
    facts = FilmFacts(
        width, height, made.layout.name, primaries="bt709", transfer="bt709", rate=per_second, time_base=1 / per_second
    )
    if made.layout.kind == "rgb":
        return replace(facts, matrix="gbr", full_range=True)
    return replace(facts, matrix=facts.colour_matrix, full_range=False)


def _upright_aspect(facts: FilmFacts) -> Fraction | None:
    """Of the pictures as they are shown."""
    turned = facts.sample_aspect is not None and facts.orientation.transposed
    return 1 / facts.sample_aspect if turned and facts.sample_aspect else facts.sample_aspect
