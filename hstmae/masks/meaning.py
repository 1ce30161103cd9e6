"""What the values of mask files mean: white = missing, whatever the depth; transparency, colours and labels as such.

Decided for all masks of one source together (`decide` on what `survey` saw), then applied to each (`Meaning.of`). What
could be read in two ways that differ is refused, with what to add to the command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, UsageError
from .painted import near
from .planes import Plane
from .survey import NEAR, Survey, over_black, packed_colours

READ = ("brightness", "alpha", "index")
_FEW = 64  # colours up to which a picture is taken for labels
_MIDDLE = 0.1  # largest share of pixels that are neither dark nor bright in a drawing of two colours
_NAMED = 4  # colours or values that a message names


@dataclass(frozen=True)
class Reading:
    """What the user says about the values of mask files.

    Attributes:
        by: "auto", one of READ, or "colour".
        colour: packed, of what is missing, for "colour".
        threshold: in the files' own units: values from here on are missing; None = found out.
        invert: what would be missing is visible, and the other way round.
    """

    by: str = "auto"
    colour: int = 0
    threshold: float | None = None
    invert: bool = False


def parse_colour(text: str) -> int:
    """`#rrggbb` -> packed colour. Raises UsageError."""
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", text):
        raise UsageError(f"colour '{text}': write it as #rrggbb, e.g. #000000")
    return int(text.lstrip("#"), 16)


def parse_reading(text: str | None, threshold: float | None = None, invert: bool = False) -> Reading:
    """`brightness`, `alpha`, `index` or `#rrggbb`; None = found out. Raises UsageError."""
    if threshold is not None and not 0 < threshold < 1 << 31:
        raise UsageError(f"--mask-threshold {threshold:g}: values from there on are missing; give more than 0")
    if text is None or text in READ:
        return Reading(text or "auto", 0, threshold, invert)
    if not text.startswith("#"):
        raise UsageError(f"--mask-read {text}: write {', '.join(READ)}, or a colour as #rrggbb")
    if threshold is not None:
        raise UsageError("--mask-threshold says nothing where --mask-read names a colour; leave one out")
    return Reading("colour", parse_colour(text), None, invert)


@dataclass(frozen=True)
class Meaning:
    """How the masks of one source are read.

    Attributes:
        by: "brightness"; "seen" (the same, on black where transparent); "alpha" (opaque = missing); "index" (of the
            palette); "colour" (it is missing, or nearly it); "other" (all but this colour, and what is transparent).
        level: first missing value in the file's own units; None = the upper half of what the file can hold.
        colour: packed.
        top: white, of files that do not say.
        invert: see Reading.
    """

    by: str
    level: float | None = None
    colour: int = -1
    top: float = 0
    invert: bool = False

    def of(self, plane: Plane) -> np.ndarray:
        """bool [H, W], True = missing."""
        return self._marked(plane) ^ self.invert

    def _marked(self, plane: Plane) -> np.ndarray:
        if self.by == "alpha" and plane.alpha is not None:
            return plane.alpha >= (self.level or 128)
        if self.by == "index" and plane.index is not None:
            return plane.index >= (self.level or 1)
        if self.by == "colour":
            return near(packed_colours(plane), self.colour, NEAR) & _opaque(plane)
        if self.by == "other":
            return (packed_colours(plane) != self.colour) & _opaque(plane)
        values = over_black(plane) if self.by == "seen" else plane.values
        return values >= (self.level or middle(plane.top or self.top))


def middle(top: float) -> float:
    """The first value of the upper half of 0 ... `top`."""
    return (top + 1) // 2 if top > 1 else top / 2


def _opaque(plane: Plane) -> np.ndarray | bool:
    return True if plane.alpha is None else plane.alpha >= 128


def decide(seen: Survey, reading: Reading, where: str) -> tuple[Meaning, float | None, list[str]]:
    """How masks are to be read, of which `seen` is what there is in them.

    Args:
        where: named in messages, e.g. the file.
    Returns:
        The meaning, the share of all pixels that are missing (None = not known), what the user should know.
    Raises:
        DataError: they can be read in more than one way, or nothing in them is missing though it seems so.
    """
    meaning, note = _by_user(seen, reading, where) if reading.by != "auto" else _by_content(seen, reading, where)
    meaning = Meaning(meaning.by, meaning.level, meaning.colour, meaning.top, reading.invert)
    share = hidden_share(seen, meaning)
    notes = [note] if note else []
    if share == 1:
        turn = "without" if reading.invert else "with"
        notes.append(f"everything is missing (the other way round {turn} --mask-invert)")
    elif share == 0:
        notes.append("nothing is missing")
    return meaning, share, [f"{where}: {text}" for text in notes]


def hidden_share(seen: Survey, meaning: Meaning) -> float | None:
    """Share of the pixels that are missing; None where that was not counted."""
    if meaning.by == "alpha":
        counts, level = seen.alphas, meaning.level or 128
    elif meaning.by == "index":
        counts, level = seen.indices, meaning.level or 1
    elif meaning.by in ("seen", "brightness"):
        counts = seen.seen if meaning.by == "seen" else seen.values
        level = meaning.level or middle(meaning.top or max(seen.tops))
    elif seen.colours is not None and seen.spread and not seen.clear:
        close = near(seen.colours.values.astype(np.int64), meaning.colour, NEAR)
        marked = close if meaning.by == "colour" else seen.colours.values != meaning.colour
        share = float(seen.colours.counts[marked].sum() / seen.colours.counts.sum())
        return 1 - share if meaning.invert else share
    else:
        return None
    share = float(counts.counts[counts.values >= level].sum() / max(counts.counts.sum(), 1))
    return 1 - share if meaning.invert else share


def _by_user(seen: Survey, reading: Reading, where: str) -> tuple[Meaning, str]:
    if reading.by == "alpha" and seen.clear < seen.masks:
        raise DataError(f"{where}: {_how_many(seen, seen.clear)} transparency; leave --mask-read alpha out")
    if reading.by == "index" and seen.indexed < seen.masks:
        raise DataError(f"{where}: {_how_many(seen, seen.indexed)} palette; leave --mask-read index out")
    if reading.by == "brightness":
        return _by_values(seen, reading, where, "brightness")
    return Meaning(reading.by, reading.threshold, reading.colour), ""


def _how_many(seen: Survey, have: int) -> str:
    return "has no" if not have else f"{have} of {seen.masks} masks, not all, have"


def _by_content(seen: Survey, reading: Reading, where: str) -> tuple[Meaning, str]:
    if seen.clear and not seen.alphas.only(255):
        return _by_transparency(seen, reading, where)
    labels = seen.indexed == seen.masks
    if labels and len(seen.indices) > 1 and seen.colours is not None and len(seen.colours) == 1:
        return Meaning("index", reading.threshold), "its palette has one colour for all: read by index, 0 = not missing"
    if seen.grey:
        dark = seen.values.most < middle(255) and len(seen.values) > 2 and 0 in seen.indices
        if labels and dark and reading.threshold is None:
            return Meaning("index"), "a dark palette: read by index, 0 = not missing"
        return _by_values(seen, reading, where, "brightness")
    if labels and reading.threshold is not None:
        return Meaning("index", reading.threshold), ""
    if reading.threshold is None and not seen.lossy and seen.colours is not None and len(seen.colours) <= _FEW:
        if 0 in seen.colours:
            return Meaning("other", colour=0), f"{_colours(seen)}: all but black = missing"
        if labels and 0 in seen.indices:
            return Meaning("index"), f"{_colours(seen)}: all but entry 0 of its palette = missing"
        raise DataError(
            f"{where}: {_colours(seen)}, none of them black: say which is missing, e.g. --mask-read "
            f"'#{seen.colours.rarest:06x}'"
        )
    return _by_values(seen, reading, where, "brightness", tinted=True)


def _colours(seen: Survey) -> str:
    assert seen.colours is not None
    named = ", ".join(f"#{int(c):06x}" for c in seen.colours.values[:_NAMED])
    return f"has the colours {named}{' ...' if len(seen.colours) > _NAMED else ''}"


def _by_transparency(seen: Survey, reading: Reading, where: str) -> tuple[Meaning, str]:
    """Some pixels are transparent: that is the mask where the rest has one colour, and never missing where not."""
    if seen.clear < seen.masks:
        raise DataError(f"{where}: {_how_many(seen, seen.clear)} transparency; make them alike, or add --mask-read")
    if seen.spread <= (NEAR if seen.lossy else 0):
        return Meaning("alpha", reading.threshold), "read by its transparency: opaque = missing"
    if seen.grey and seen.middling <= _MIDDLE:
        meaning, _ = _by_values(seen, reading, where, "seen")
        return meaning, "bright and opaque = missing, dark or transparent = not missing"
    if not seen.lossy and seen.colours is not None and len(seen.colours) <= _FEW and not seen.grey:
        return Meaning("other", colour=0), f"{_colours(seen)}: transparent and black = not missing, all else = missing"
    raise DataError(
        f"{where}: has both transparency and a picture, so it could mean two things: add --mask-read alpha (opaque = "
        "missing; with --mask-invert transparent = missing), or --mask-read brightness (white = missing)"
    )


def _by_values(seen: Survey, reading: Reading, where: str, by: str, tinted: bool = False) -> tuple[Meaning, str]:
    counts = seen.seen if by == "seen" else seen.values
    most, level = counts.most, reading.threshold
    if level is not None:
        if most < level:
            raise DataError(f"{where}: its brightest value is {most:g}, below --mask-threshold {level:g}")
        return Meaning(by, level), ""
    if len(counts) == 2 and not seen.lossy and not tinted:
        told = f"has the values {counts.values[0]:g} and {most:g}: {most:g} = missing"
        return Meaning(by, _between(counts.values)), "" if _plain(counts.values, seen.tops) else told
    top = max(seen.tops)
    if min(seen.tops) == 0:
        top = next((t for t in (1, 255, 65535) if most <= t), 0)
        if not top or counts.values[0] < 0:
            raise DataError(
                f"{where}: its values run from {counts.values[0]:g} to {most:g}; say from which on they are missing: "
                "--mask-threshold N"
            )
    if 0 < most < middle(top):
        raise DataError(
            f"{where}: its brightest value is {most:g} of {top:g}, so nothing would be missing; add --mask-threshold "
            f"{_least_marked(counts.values):g} where values from there on are"
        )
    if tinted and seen.middling > _MIDDLE:
        raise DataError(
            f"{where}: looks like a picture, not like a mask (colours of all kinds); add --mask-read '#rrggbb' with "
            "the colour of what is missing, or --mask-read brightness"
        )
    told = f"has {len(counts)} different values: from {middle(top):g} on = missing"
    return Meaning(by, None, top=top), told if len(counts) > 2 and not seen.lossy else ""


def _plain(values: np.ndarray, tops: set[float]) -> bool:
    """Of two values, one is black and the other white."""
    return values[0] == 0 and all(values[1] >= middle(top or (1 if values[1] <= 1 else 255)) for top in tops)


def _between(values: np.ndarray) -> float:
    """A level that the larger of two values reaches and the smaller does not."""
    low, high = float(values[0]), float(values[1])
    return high if high == int(high) else (low + high) / 2


def _least_marked(values: np.ndarray) -> float:
    return float(values[values > 0][0])
