"""What a written film does not say any more, found by reading it."""

from __future__ import annotations

import zlib
from collections.abc import Container
from fractions import Fraction
from pathlib import Path

from ..errors import DataError
from .facts import FilmFacts
from .layout import Layout, Planes, layout_of
from .others import told
from .plays import plays_lost
from .reading import FilmReader


def differences(
    path: Path, wanted: FilmFacts, layout: Layout, copied: bool, left_out: Container[int] = ()
) -> list[str]:
    """What the film at `path` holds otherwise than `wanted`, one sentence each.

    Args:
        layout: that its samples should have.
        copied: the other streams are wanted, too, but for those whose index is in `left_out`.
    Raises:
        UnreadableFilm: it cannot be read.
    """
    facts = FilmReader(path).facts
    return [
        *_pictures(facts, wanted, layout),
        *_times(facts, wanted),
        *_chapters(facts, wanted),
        *plays_lost(wanted.plays, facts.plays),
        *_metadata("", facts.metadata, wanted.metadata),
        *(_streams(facts, wanted, left_out) if copied else ()),
    ]


def sum_of(planes: Planes) -> int:
    """CRC-32 of all samples of a frame."""
    total = 0
    for plane in planes:
        total = zlib.crc32(plane.tobytes(), total)
    return total


def check_samples(path: Path, written: Path, sums: list[int]) -> None:
    """Raises DataError where the frames of the film `written`, which is to be `path`, have not these sums."""
    for frame, wanted in zip(FilmReader(written, with_times=False).frames(), sums, strict=False):
        if sum_of(frame.planes) != wanted:
            raise DataError(
                f"{path}: frame {frame.number} does not come back as it was from this encoder; write an .mkv, or leave "
                "--lossless out"
            )


def _pictures(facts: FilmFacts, wanted: FilmFacts, layout: Layout) -> list[str]:
    lost = []
    there = layout_of(facts.pixel_format)
    if there != layout and (there.kind != "rgb" or there.bits != layout.bits):
        lost.append(f"pictures of {layout.name} are read back as {there.name}")
    if facts.orientation != wanted.orientation:
        lost.append("how the pictures are turned and mirrored is not kept: they lie as they are stored")
    if (facts.sample_aspect or 1) != (wanted.sample_aspect or 1):
        lost.append(f"pixels of aspect {wanted.sample_aspect} are stated as {facts.sample_aspect or 'square'}")
    if there.kind == "yuv" and facts.colour_matrix != wanted.colour_matrix:
        lost.append(f"the colour matrix {wanted.colour_matrix} is stated as {facts.matrix}")
    for name, before, now in (
        ("primaries", wanted.primaries, facts.primaries),
        ("transfer", wanted.transfer, facts.transfer),
        ("range", _range(wanted), _range(facts)),
    ):
        if before not in ("unspecified", now) and (before, now) != ("limited", "unspecified"):  # which means the same
            lost.append(f"colour {name} {before} is stated as {now}")
    if wanted.field_order in ("tt", "bb", "tb", "bt") and facts.field_order != wanted.field_order:
        lost.append(f"the order of fields {wanted.field_order} is stated as {facts.field_order}")
    return lost


def _range(facts: FilmFacts) -> str:
    return "unspecified" if facts.full_range is None else "full" if facts.full_range else "limited"


def _times(facts: FilmFacts, wanted: FilmFacts) -> list[str]:
    if len(facts.times) != len(wanted.times):
        return [f"{len(wanted.times)} frames were written, {len(facts.times)} are found"]
    now, before = ([t * f.time_base for t in (*f.times, f.end)] for f in (facts, wanted))
    off = [abs(a - b) for a, b in zip(now, before, strict=True)]
    lost = []
    moved = now[0] - before[0] if now else Fraction(0)
    if moved and len({a - b for a, b in zip(now, before, strict=True)}) == 1:
        return [f"the pictures begin at {float(now[0]):.3f} s instead of {float(before[0]):.3f} s"]
    if max(off[:-1], default=Fraction(0)):
        lost.append(f"the times of frames are rounded by up to {float(max(off[:-1])) * 1000:.3g} ms")
    if off[-1] > max(off[:-1], default=Fraction(0)) + facts.time_base:
        lost.append(
            f"the last frame is shown {float(now[-1] - now[-2]):.3f} s instead of "
            f"{float(before[-1] - before[-2]):.3f} s"
        )
    return lost


def _chapters(facts: FilmFacts, wanted: FilmFacts) -> list[str]:
    if len(facts.chapters) < len(wanted.chapters):
        return [f"{len(wanted.chapters) - len(facts.chapters)} chapters cannot be held by this kind of file"]
    lost = []
    pairs = list(zip(facts.chapters, wanted.chapters, strict=False))
    off = max((max(abs(a.start - b.start), abs(a.end - b.end)) for a, b in pairs), default=Fraction(0))
    if off:
        lost.append(f"the times of chapters are rounded by up to {float(off) * 1000:.3g} ms")
    if any(told(a.metadata) != told(b.metadata) for a, b in pairs):
        lost.append("what is said about chapters is not kept whole")
    return lost


def _metadata(what: str, now: dict[str, str], before: dict[str, str]) -> list[str]:
    kept, wanted = told(now), told(before)
    missing = sorted(name for name, value in wanted.items() if kept.get(name) != value)
    return [f"{what}metadata {', '.join(missing)}: not kept as it was"] if missing else []


def _streams(facts: FilmFacts, wanted: FilmFacts, left_out: Container[int]) -> list[str]:
    """What is said about the streams that are there; a stream is known by its kind, codec and place among those."""
    lost, left = [], list(facts.streams)
    for stream in wanted.streams:
        match = next((s for s in left if (s.kind, s.codec) == (stream.kind, stream.codec)), None)
        if match is None:
            if stream.index not in left_out:
                lost.append(f"{stream}: is not found in what was written")
            continue
        left.remove(match)
        lost += _metadata(f"{stream}: ", match.metadata, stream.metadata)
        flags = set(stream.disposition) - set(match.disposition) - {"default"}
        if flags:
            lost.append(f"{stream}: {', '.join(sorted(flags))} is not kept")
    return lost
