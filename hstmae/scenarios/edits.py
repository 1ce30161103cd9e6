"""Edits of a game's memory by the names of its documented fields: `sprites[3]=40`, `palettes[0:4]=15`, `lives+=1`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import HstError, UsageError
from ..games import GameSpec

_FORM = re.compile(r"\s*([^\[\]=+^]*[^\[\]=+^\s-])\s*(?:\[([^\]]*)\])?\s*([-+^]?)=\s*(.+?)\s*")
_NUMBER = r"(?:0[xX][0-9a-fA-F]+|\d+)"
_VALUE = re.compile(rf"({_NUMBER})(?:\.\.({_NUMBER}))?")
SAY = (
    "NAME=VALUE, NAME[I]=VALUE or NAME[I:J:STEP]=VALUE, with =, +=, -= or ^=; VALUE is a number, several with commas, "
)
SAY += "or LOW..HIGH, drawn for each clip"


@dataclass(frozen=True)
class Edit:
    """One change of some bytes of the memory, in all frames of a clip.

    Attributes:
        text: as it was written.
        places: bytes of the memory.
        how: "" puts the value in their place; "+", "-" and "^" change what is there (modulo 256).
        values: (low, high) of each value, which follow each other over the places, again from the first one.
    """

    text: str
    places: tuple[int, ...]
    how: str
    values: tuple[tuple[int, int], ...]

    def drawn(self, random: np.random.Generator) -> Edit:
        """The same with values that are drawn."""
        values = [int(random.integers(low, high + 1)) for low, high in self.values]
        name, equals, _ = self.text.partition("=")
        text = (
            f"{name.rstrip()}{equals}{','.join(map(str, values))}" if any(a != b for a, b in self.values) else self.text
        )
        return Edit(text, self.places, self.how, tuple((value, value) for value in values))

    def apply(self, state: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A changed copy of memory uint8 [T, S]; what is drawn is the same in all frames."""
        values = [int(random.integers(low, high + 1)) for low, high in self.values]
        put = np.resize(np.array(values, np.uint8), len(self.places))
        out, places = state.copy(), list(self.places)
        if self.how == "+":
            put = state[:, places] + put
        elif self.how == "-":
            put = state[:, places] - put
        elif self.how == "^":
            put = state[:, places] ^ put
        out[:, places] = put
        return out


def parse_edit(text: str, game: GameSpec, wrong: Callable[[str], HstError] | None = None) -> Edit:
    """An edit as users write it.

    Args:
        wrong: makes the error of what is wrong, where it does not come from the option --edit.
    Raises:
        UsageError: another form, a field that the game does not have, a place beside it, or a value above 255.
    """
    wrong = wrong or (lambda what: UsageError(f"--edit {text!r}: {what}"))
    form = _FORM.fullmatch(text)
    if form is None:
        raise wrong(f"expected {SAY}")
    name, where, how, value = form.groups()
    fields = {_plain(field.name): field for field in game.fields}
    field = fields.get(_plain(name))
    if field is None:
        near = difflib.get_close_matches(_plain(name), fields, 3, 0.5)
        known = ", ".join(fields[key].name for key in near or list(fields)[:12]) or "none"
        raise wrong(f"'{game.name}' has no field '{name}'; it has {known}")
    chosen = range(field.count)[_places(where, wrong)] if where is not None else range(field.count)
    if not len(chosen):
        raise wrong(f"'{field.name}' has places 0 to {field.count - 1}, none of them is meant")
    values = []
    for one in value.split(","):
        number = _VALUE.fullmatch(one.strip())
        if number is None:
            raise wrong(f"{one.strip()!r} is no number and no range; expected {SAY}")
        low, high = (
            int(part, 0) if part[:2].lower() == "0x" else int(part) for part in (number[1], number[2] or number[1])
        )
        if not 0 <= low <= high <= 255:
            raise wrong("values are bytes, 0 to 255, the lower one first")
        values.append((low, high))
    return Edit(text, tuple(field.address - _first(game) + place for place in chosen), how, tuple(values))


def _first(game: GameSpec) -> int:
    """What is taken from addresses: those of Atari games begin at 0x80, where their memory lies on the console."""
    least = min(field.address for field in game.fields)
    return least if max(field.address + field.count for field in game.fields) > game.state_size else 0


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]+", " ", name).strip().casefold()


def _places(text: str, wrong: Callable[[str], HstError]) -> slice:
    parts = [part.strip() for part in text.split(":")]
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"\d*", part) for part in parts) or not any(parts):
        raise wrong(f"[{text}] is no place; expected {SAY}")
    numbers = [int(part) if part else None for part in parts]
    if len(numbers) == 1:
        assert numbers[0] is not None
        return slice(numbers[0], numbers[0] + 1)
    if numbers[2:] == [0]:
        raise wrong(f"[{text}] goes in steps of 0")
    return slice(*numbers)
