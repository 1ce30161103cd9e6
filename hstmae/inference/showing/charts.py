"""Charts of a report, as HTML and SVG."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from .figures import FrameFigures

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 1000, 190, 46, 26, 12  # of a chart over time, in its own units
POINTS = 500  # along it; of more frames some share a point


@dataclass(frozen=True)
class Part:
    """A share of a whole."""

    name: str
    colour: tuple[int, int, int]
    share: float


def bar(parts: Sequence[Part]) -> str:
    """Parts beside each other, with a legend that has their shares."""
    cells = "".join(
        f"<span style='width:{100 * p.share:.3f}%;background:rgb{p.colour}' title='{_text(p.name)}'></span>"
        for p in parts
    )
    lines = "".join(
        f"<li><i style='background:rgb{p.colour}'></i>{_text(p.name)}: <b>{_share(p.share)}</b></li>" for p in parts
    )
    return f"<div class=bar>{cells}</div><ul class=legend>{lines}</ul>"


def timeline(figures: Sequence[FrameFigures]) -> str:
    """Over the frames: the share of the picture that is missing as an area, and the mean confidence as dots."""
    points = _points(figures)
    wide, high = WIDTH - LEFT - 10, HEIGHT - BOTTOM - TOP
    first, last = figures[0].position, figures[-1].position
    span = max(last + 1 - first, 1)

    def x(position: float) -> float:
        return LEFT + wide * (position - first) / span

    def y(share: float) -> float:
        return TOP + high * (1 - share)

    lines = "".join(
        f"<line x1='{LEFT}' x2='{WIDTH - 10}' y1='{y(s):.1f}' y2='{y(s):.1f}' stroke='currentColor' opacity='.12'/>"
        f"<text x='{LEFT - 6}' y='{y(s) + 4:.1f}' text-anchor='end'>{s:.0%}</text>"
        for s in (0, 0.5, 1)
    )
    area = "".join(
        f"<rect x='{x(p.start):.2f}' width='{max(x(p.end) - x(p.start), 0.4):.2f}' y='{y(p.missing):.2f}' "
        f"height='{max(high * p.missing, 0.8 if p.missing else 0):.2f}'/>"
        for p in points
        if p.missing
    )
    sure = "".join(
        f"<rect x='{x(p.start):.2f}' width='{max(x(p.end) - x(p.start), 1.5):.2f}' y='{y(p.confidence) - 1.2:.2f}' "
        f"height='2.4'/>"
        for p in points
        if p.confidence is not None
    )
    ticks = "".join(
        f"<text x='{x(position):.1f}' y='{HEIGHT - 8}' text-anchor='{anchor}'>{word}{position}</text>"
        for position, anchor, word in ((first, "start", "frame "), (last, "end", ""))[: 1 + (last > first)]
    )
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='missing share and confidence of each frame'>"
        f"{lines}<g fill='rgb(154,160,172)' shape-rendering=crispEdges>{area}</g>"
        f"<g fill='rgb(0,114,178)'>{sure}</g>{ticks}</svg>"
    )


@dataclass(frozen=True)
class _Point:
    """Frames `start` to `end`, the last one not included; confidence None where nothing is missing or rated."""

    start: int
    end: int
    missing: float
    confidence: float | None


def _points(figures: Sequence[FrameFigures]) -> list[_Point]:
    step = -(-len(figures) // POINTS)
    made = []
    for k in range(0, len(figures), step):
        some = figures[k : k + step]
        missing = sum(one.missing for one in some)
        said = [one.confidence for one in some if one.confidence is not None and one.missing]
        mean = sum(said) / missing if said and missing else None
        share = missing / max(sum(one.pixels for one in some), 1)
        made.append(_Point(some[0].position, some[-1].position + 1, share, mean))
    return made


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "under 0.1%"


def _text(value: str) -> str:
    return html.escape(value, quote=True)
