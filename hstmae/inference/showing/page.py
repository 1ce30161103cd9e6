"""The report of a restoration: one HTML file that holds all it needs and asks nothing of the network."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...drawing.panels import TINT_COLOUR
from ...restoration.result import METHODS
from .charts import Part, bar, timeline
from .figures import Example, FrameFigures
from .sources import UNSEEN, WORDS

STYLE = """
:root{color-scheme:light dark;--ink:#1d1f24;--soft:#5d626e;--line:#d9dbe0;--page:#fff;--card:#f5f6f8}
@media(prefers-color-scheme:dark){:root{--ink:#e8e9ec;--soft:#9ba1ad;--line:#3a3d45;--page:#17181c;--card:#202228}}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px;max-width:1500px;font:15px/1.5 system-ui,sans-serif;color:var(--ink);
background:var(--page)}
h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:36px 0 8px}h3{font-size:15px;margin:24px 0 6px}
p{margin:6px 0}.soft{color:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:10px;margin:18px 0}
.facts div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px}
.facts b{display:block;font-size:20px;line-height:1.25;overflow-wrap:anywhere}
.facts span{color:var(--soft);font-size:13px}
.bar{display:flex;height:22px;border-radius:6px;overflow:hidden;border:1px solid var(--line)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0 0;padding:0;list-style:none;font-size:14px}
.legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;vertical-align:-1px;
border:1px solid var(--line)}
p.frame{margin:18px 0 2px;font-weight:600}
.row{display:grid;gap:8px;margin-bottom:6px}
figure{margin:0;min-width:0}figcaption{font-size:13px;color:var(--soft);margin-bottom:3px}
figure img{display:block;width:100%;height:auto;border-radius:4px;outline:1px solid var(--line)}
img.small{image-rendering:pixelated}
svg{display:block;width:100%;height:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}
ul.notes{padding-left:20px;margin:4px 0}ul.notes li{overflow-wrap:anywhere}
footer{margin-top:40px;padding-top:12px;border-top:1px solid var(--line);font-size:13px;color:var(--soft)}
"""
SMALL = 320  # pixels across up to which a picture is shown with hard edges


@dataclass(frozen=True)
class Section:
    """One sequence, or one way of damage: frames in their order, and pictures of some."""

    title: str
    figures: Sequence[FrameFigures]
    examples: Sequence[Example]
    words: str = ""


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: its heading; way: one sentence on what restored it, and why.
        facts: (value, what it is), the most important things.
        sections: at least one.
        notes: (heading, lines) of what else there is to be told; those without lines are left out.
        made_by: the last line.
    """

    title: str
    way: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    notes: Sequence[tuple[str, Sequence[str]]] = field(default_factory=list)
    made_by: str = ""

    def html(self) -> str:
        """The whole file."""
        cards = "".join(f"<div><b>{_text(value)}</b><span>{_text(what)}</span></div>" for value, what in self.facts)
        parts = [f"<h1>{_text(self.title)}</h1><p class=soft>{_text(self.way)}</p><div class=facts>{cards}</div>"]
        for heading, lines in self.notes:
            if lines:
                items = "".join(f"<li>{_text(line)}</li>" for line in lines)
                parts.append(f"<h3>{_text(heading)}</h3><ul class=notes>{items}</ul>")
        parts += [_section(section) for section in self.sections]
        return (
            f"<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>{_text(self.title)}</title><style>{STYLE}</style>\n"
            + "\n".join(parts)
            + f"\n<footer>{_text(self.made_by)}</footer></html>\n"
        )


def _section(section: Section) -> str:
    figures = section.figures
    missing = sum(one.missing for one in figures)
    parts = [f"<h2>{_text(section.title)}</h2>"] if section.title else []
    if section.words:
        parts.append(f"<p>{_text(section.words)}</p>")
    if not missing:
        return "".join([*parts, "<p>Nothing was missing in these frames.</p>"])
    shares = _sources(figures)
    if shares:
        unseen = sum(one.unseen for one in figures) / missing
        parts += [
            "<h3>Where the restored pixels come from</h3>",
            bar(shares),
            f"<p class=soft>No frame shows {_share(unseen)} of them.</p>",
        ]
    parts += [
        "<h3>Over time</h3>",
        timeline(figures),
        _legend([((154, 160, 172), "share of the picture that was missing"),
                 *([((0, 114, 178), "how sure the restored pixels are, mean")] if _rated(figures) else [])]),
    ]  # fmt: skip
    if section.examples:
        parts.append("<h3>Some of the frames</h3>")
        parts += [_example(one) for one in section.examples]
        seen = {name for one in section.examples for name, _, _ in one.panels}
        told = [] if "error x2" in seen else [(TINT_COLOUR, "missing (tinted)")]
        told += [((255, 255, 255), "certain"), ((0, 0, 0), "a guess")] if "confidence" in seen else []
        red = (int(UNSEEN[1][0]), int(UNSEEN[1][1]), int(UNSEEN[1][2]))
        told += [(red, "shown by no frame")] if "shown by no frame" in seen else []
        parts.append(_legend([*told, *((part.colour, part.name) for part in shares)]))
    return "\n".join(parts)


def _rated(figures: Sequence[FrameFigures]) -> bool:
    return any(one.confidence is not None for one in figures)


def _sources(figures: Sequence[FrameFigures]) -> list[Part]:
    """What the restored pixels come from, without what nothing comes from."""
    total = [sum(one.methods[k] for one in figures) for k in range(len(METHODS))]
    count = max(sum(total[1:]), 1)
    return [Part(WORDS[name][1], WORDS[name][0], total[k] / count) for k, name in enumerate(METHODS) if k and total[k]]


def _example(example: Example) -> str:
    cells = "".join(
        f"<figure><figcaption>{_text(name)}</figcaption><img{_smooth(size)} width={size[0]} height={size[1]} "
        f"alt='{_text(name)}, frame {example.position}' src='{uri}'></figure>"
        for name, size, uri in example.panels
    )
    columns = f"style='grid-template-columns:repeat({len(example.panels)},minmax(0,1fr))'"
    return f"<p class=frame>frame {example.position}</p><div class=row {columns}>{cells}</div>"


def _smooth(size: tuple[int, int]) -> str:
    return " class=small" if size[0] <= SMALL else ""


def _legend(items: Sequence[tuple[tuple[int, int, int], str]]) -> str:
    lines = "".join(f"<li><i style='background:rgb{colour}'></i>{_text(word)}</li>" for colour, word in items)
    return f"<ul class=legend>{lines}</ul>"


def _share(share: float) -> str:
    return f"{share:.1%}"


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
