"""Values that are drawn for each clip, and YAML that knows the line of each of its keys."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from ..configio import Loader
from ..errors import ConfigError

_RANGE = re.compile(r"\s*(-?\d+|0[xX][0-9a-fA-F]+)\s*\.\.\s*(-?\d+|0[xX][0-9a-fA-F]+)\s*")


class Section(dict):
    """A mapping of a YAML file; `line` is where it begins, `lines` where each of its keys stands."""

    line: int
    lines: dict[str, int]


class MarkedLoader(Loader):
    """The configuration's YAML, with mappings as `Section`."""


def _section(loader: MarkedLoader, node: yaml.MappingNode) -> Section:
    made = Section(loader.construct_mapping(node, deep=True))
    made.line = node.start_mark.line + 1
    made.lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    return made


MarkedLoader.add_constructor("tag:yaml.org,2002:map", _section)


@dataclass(frozen=True)
class At:
    """Where something stands, for errors: a file or an option, a line of it (0 = it has none), and the dotted key."""

    where: str
    line: int = 0
    key: str = ""

    def of(self, section: Any, key: str) -> At:
        """Of a key in a section that stands here."""
        line = section.lines.get(key, section.line) if isinstance(section, Section) else self.line
        return At(self.where, line if self.line else 0, f"{self.key}.{key}" if self.key else key)

    def item(self, k: int, value: Any) -> At:
        line = value.line if isinstance(value, Section) and self.line else self.line
        return At(self.where, line, f"{self.key}[{k}]")

    def wrong(self, what: str) -> ConfigError:
        line = f"line {self.line}: " if self.line else ""
        return ConfigError(f"{self.where}: {line}{self.key + ': ' if self.key else ''}{what}")

    def section(self, value: Any, known: Sequence[str], needed: Sequence[str] = ()) -> dict[str, Any]:
        """A mapping with these keys alone. Raises ConfigError."""
        if not isinstance(value, dict):
            raise self.wrong(f"must be keys with values ({', '.join(known)}), got {value!r}")
        for key in value:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1, 0.6)
                hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(known)}"
                raise self.of(value, str(key)).wrong(f"is no key here; {hint}")
        for key in needed:
            if key not in value:
                raise self.wrong(f"lacks '{key}'")
        return value

    def one_of(self, value: Any, known: Sequence[str]) -> str:
        """One of some words. Raises ConfigError."""
        if not isinstance(value, str) or value not in known:
            near = difflib.get_close_matches(str(value), known, 1, 0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known) or 'none'}"
            raise self.wrong(f"{value!r} is not known; {hint}")
        return value

    def share(self, value: Any) -> float:
        """A number from 0 to 1. Raises ConfigError."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self.wrong(f"must be a number from 0 to 1, got {value!r}")
        return float(value)

    def draw(self, value: Any, least: int, most: int) -> Draw:
        """A whole number, LOW..HIGH, or a list of these. Raises ConfigError."""
        choices: list[tuple[int, int]] = []
        for part in value if isinstance(value, list) and value else [value]:
            form = _RANGE.fullmatch(part) if isinstance(part, str) else None
            if form is None and (isinstance(part, bool) or not isinstance(part, int)):
                raise self.wrong(f"must be a whole number, LOW..HIGH, or a list of them, got {part!r}")
            low, high = (int(form[1], 0), int(form[2], 0)) if form is not None else (int(part), int(part))
            if not least <= low <= high <= most:
                raise self.wrong(f"{part} is not within {least} to {most}, the lower one first")
            choices.append((low, high))
        return Draw(tuple(choices))


@dataclass(frozen=True)
class Draw:
    """A whole number, drawn evenly from one of some ranges (low, high), each as likely as the others."""

    choices: tuple[tuple[int, int], ...]

    def __call__(self, random: np.random.Generator) -> int:
        low, high = self.choices[int(random.integers(len(self.choices)))]
        return int(random.integers(low, high + 1))


def fixed(value: int) -> Draw:
    return Draw(((value, value),))
