"""Programmes: what is done to each clip, and by which chance, from a YAML file or from the options of a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ..configio import read_yaml
from ..errors import UsageError
from ..games import GameSpec
from . import changes
from .edits import parse_edit
from .scene import Change, Others, Scene
from .splicing import Splice, make_splice
from .values import At, Draw, MarkedLoader, fixed

Maker = Callable[[Any, At, GameSpec], Change]
VERBS: dict[str, Maker] = {
    "set": changes.make_set,
    "number": changes.make_number,
    "look": changes.make_look,
    "move": partial(changes.make_on_object, "move"),
    "remove": partial(changes.make_on_object, "remove"),
    "add": partial(changes.make_on_object, "add"),
    "tile": changes.make_tile,
    "splice": make_splice,
    "time": changes.make_time,
    "mirror": changes.make_mirror,
}
_ANY, _CHANCE, _WEIGHT = "any", "chance", "weight"
_KEYS = ("variants", "frames", "start", "edits")
_VERB = re.compile(r"\s*\{?\s*(?:" + "|".join([*VERBS, _ANY]) + r")\s*:")


@dataclass(frozen=True)
class Step:
    """One edit, or one of several.

    Attributes:
        choices: what is done, one of them; weights: how often each, in proportion.
        chance: share of clips in which any of them is.
    """

    choices: tuple[Change, ...]
    weights: tuple[float, ...]
    chance: float = 1.0

    def chosen(self, random: np.random.Generator) -> Change | None:
        happens = random.random() < self.chance
        k = int(random.choice(len(self.choices), p=np.array(self.weights) / sum(self.weights)))
        return self.choices[k] if happens else None


@dataclass(frozen=True)
class Programme:
    """What becomes of each clip.

    Attributes:
        steps: in this order, but splices first.
        variants: clips of each episode.
        frames: of each clip, 0 = all.
        start: first frame of each clip.
        text: all of it as one line, by which two programmes are told apart.
    """

    steps: tuple[Step, ...]
    variants: int = 1
    frames: int = 0
    start: Draw = field(default_factory=lambda: fixed(0))
    text: str = ""

    @property
    def stride(self) -> int:
        """Recorded frames that a frame of a clip may take."""
        paces = [c.most for step in self.steps for c in step.choices if isinstance(c, changes.Time)]
        return int(np.prod(paces, dtype=np.int64))

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        """Edit a scene in place. Raises GameError, DataError: as the changes do."""
        drawn = [change for step in self.steps if (change := step.chosen(random)) is not None]
        for early in (True, False):  # a splice brings in states as they were recorded
            for change in drawn:
                if isinstance(change, Splice) is early:
                    change.apply(scene, random, others)


def read_programme(path: Path, game: GameSpec) -> Programme:
    """A programme from a YAML file.

    Raises:
        ConfigError: no such file, no YAML, or something in it that cannot be meant; the line and the key are named.
    """
    at = At(str(path), 1)
    value = read_yaml(path, MarkedLoader)
    section = at.section(value, _KEYS, ("edits",))
    steps = section["edits"]
    if not isinstance(steps, list) or not steps:
        raise at.of(section, "edits").wrong("must be a list of edits, each a line that begins with '-'")
    variants, frames = section.get("variants", 1), section.get("frames", 0)
    for name, given, least in (("variants", variants, 1), ("frames", frames, 0)):
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= 1 << 20:
            raise at.of(section, name).wrong(f"must be a whole number of {least} or more, got {given!r}")
    place = at.of(section, "edits")
    made = tuple(_step(step, place.item(k, step), game) for k, step in enumerate(steps))
    start = at.of(section, "start").draw(section.get("start", 0), 0, 1 << 20)
    return Programme(made, variants, frames, start, repr(_plain(section)))


def from_options(texts: Sequence[str], game: GameSpec) -> tuple[Step, ...]:
    """Edits as of `--edit`: NAME=VALUE, or one line of a programme such as "mirror: true" or "look: night".

    Raises:
        UsageError, ConfigError: what is wrong with one of them.
    """
    steps = []
    for text in texts:
        if not _VERB.match(text):
            steps.append(Step((changes.SetBytes(parse_edit(text, game)),), (1.0,)))
            continue
        try:
            value = yaml.load(text, Loader=MarkedLoader)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UsageError(f"--edit {text!r}: is not valid YAML: {' '.join(str(error).split())}") from None
        steps.append(_step(value, At(f"--edit {text!r}"), game))
    return tuple(steps)


def _step(value: Any, at: At, game: GameSpec, inner: bool = False) -> Step:
    own = _WEIGHT if inner else _CHANCE
    section = at.section(value, (*VERBS, own) if inner else (*VERBS, _ANY, own))
    verbs = [key for key in section if key != own]
    if len(verbs) != 1:
        raise at.wrong(f"does one thing, and has {', '.join(verbs) or 'none'}: begin another line with '-'")
    (verb,) = verbs
    chance = at.of(section, _CHANCE).share(section.get(_CHANCE, 1))
    if verb != _ANY:
        return Step((VERBS[verb](section[verb], at.of(section, verb), game),), (1.0,), chance)
    choices, place = section[_ANY], at.of(section, _ANY)
    if not isinstance(choices, list) or not choices:
        raise place.wrong("must be a list of edits, of which one is done")
    steps, weights = [], []
    for k, choice in enumerate(choices):
        here = place.item(k, choice)
        steps.append(_step(choice, here, game, inner=True).choices[0])
        weight = choice.get(_WEIGHT, 1)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= 1e6:
            raise here.of(choice, _WEIGHT).wrong(f"must be a number above 0, got {weight!r}")
        weights.append(float(weight))
    return Step(tuple(steps), tuple(weights), chance)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
