"""What a programme can do to a clip: set bytes and numbers, give it another look, mirror it, shift its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..games import GameSpec
from ..games.editing import Editing, Place
from .edits import Edit, parse_edit
from .scene import Change, Others, Scene
from .values import At, Draw

PIXELS = 512  # by which objects are moved at most
BUTTONS = ("left", "right")


@dataclass(frozen=True)
class SetBytes:
    """Bytes by the name of their field, see `edits`."""

    edit: Edit

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        drawn = self.edit.drawn(random)
        scene.state = drawn.apply(scene.state, random)
        scene.done.append({"set": drawn.text})


@dataclass(frozen=True)
class SetNumber:
    """A number that is kept as digits, and maybe once more: all of it."""

    name: str
    value: Draw

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        number, value = scene.game.editing.numbers[self.name], self.value(random)
        state = scene.state.copy()
        for place, digit in zip(number.digits, f"{value:0{len(number.digits)}d}", strict=True):
            state[:, place] = int(digit)
        if number.count >= 0:
            state[:, number.count] = value
        scene.state = state
        scene.done.append({"number": {self.name: value}})


@dataclass(frozen=True)
class Look:
    """One of the looks that a game has for its maps."""

    names: tuple[str, ...]

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        name = self.names[int(random.integers(len(self.names)))]
        for text in scene.game.editing.looks[name]:
            scene.state = parse_edit(text, scene.game).apply(scene.state, random)
        scene.done.append({"look": name})


@dataclass(frozen=True)
class Mirror:
    """Left to right: the world, and the buttons. It comes after all other edits, which mean the world as recorded."""

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        scene.mirrored = not scene.mirrored
        names = scene.game.buttons
        actions = scene.episode.actions
        if actions is not None and all(name in names for name in BUTTONS):
            left, right = (len(names) - 1 - names.index(name) for name in BUTTONS)
            kept = actions & ~np.uint8(1 << left | 1 << right)
            scene.with_actions(kept | (actions >> left & 1) << right | (actions >> right & 1) << left)
        elif actions is not None:
            scene.say(["actions are as recorded: which of them is left or right is not known"])
        scene.done.append({"mirror": True})


@dataclass(frozen=True)
class Time:
    """Another pace: every n-th frame alone, and buttons that come some frames later than they were pressed."""

    every: Draw
    lag: Draw

    @property
    def most(self) -> int:
        """Recorded frames between two of the clip."""
        return max(high for _, high in self.every.choices)

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        every, lag = self.every(random), self.lag(random)
        actions = scene.episode.actions
        if lag and actions is not None:
            scene.with_actions(
                np.concatenate([np.zeros(min(lag, len(actions)), np.uint8), actions[: max(len(actions) - lag, 0)]])
            )
        elif lag:
            scene.say(["there are no actions that could come later"])
        if every > 1:
            # Frames before the clip stay whole: the context of its first frame comes from all of them.
            rows = np.concatenate([np.arange(scene.begin), np.arange(scene.begin, len(scene.state), every)])
            scene.keep(rows, scene.begin)
            for seam in scene.seams:
                seam["frame"] = -(-seam["frame"] // every)
            scene.say([f"frame numbers go in steps of {every}: actions between them are not kept"])
        scene.done.append({"time": {"every": every, "lag": lag}})


@dataclass(frozen=True)
class OnObject:
    """Move, remove or add an object of the game."""

    verb: str
    kinds: tuple[str, ...]
    which: Draw | None
    x: Draw
    y: Draw

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        kind, editing = self.kinds[int(random.integers(len(self.kinds)))], scene.game.editing
        name = kind.split(" ")[0]
        place = Place(self.x(random), self.y(random), kind.partition(" ")[2])
        done: dict[str, Any] = {"object": kind}
        if self.verb == "add":
            made, said = editing.add(scene.state[scene.begin :], name, place)
            scene.state = np.concatenate([scene.state[: scene.begin], made])
            done |= {"x": place.x, "y": place.y}
        else:
            numbers = range(editing.objects[name]) if self.which is None else [self.which(random)]
            said = ()
            for number in numbers:
                if self.verb == "move":
                    scene.state, told = editing.move(scene.state, name, number, place)
                else:
                    scene.state, told = editing.remove(scene.state, name, number)
                said += told if len(numbers) == 1 else ()
            done |= {"which": "all" if self.which is None else numbers[0]}
            done |= {"x": place.x, "y": place.y} if self.verb == "move" else {}
        scene.say(said)
        scene.done.append({self.verb: done})


@dataclass(frozen=True)
class Tile:
    """Another tile at a place of the map."""

    x: Draw
    y: Draw
    number: Draw

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        x, y, number = self.x(random), self.y(random), self.number(random)
        made, said = scene.game.editing.tile(scene.state[scene.begin :], x, y, number)
        scene.state = np.concatenate([scene.state[: scene.begin], made])
        scene.say(said)
        scene.done.append({"tile": {"x": x, "y": y, "id": number}})


def make_set(value: Any, at: At, game: GameSpec) -> Change:
    if not isinstance(value, str):
        raise at.wrong(f"must be text such as NAME=VALUE, got {value!r}")
    return SetBytes(parse_edit(value, game, at.wrong))


def make_number(value: Any, at: At, game: GameSpec) -> Change:
    known = game.editing.numbers
    section = at.section(value, [*known])
    if len(section) != 1:
        raise at.wrong(f"names one number, of {', '.join(known) or 'none that this game has'}")
    ((name, wanted),) = section.items()
    return SetNumber(name, at.of(section, name).draw(wanted, 0, known[name].most))


def make_look(value: Any, at: At, game: GameSpec) -> Change:
    names = value if isinstance(value, list) and value else [value]
    return Look(tuple(at.one_of(name, [*game.editing.looks]) for name in names))


def make_mirror(value: Any, at: At, game: GameSpec) -> Change:
    if value is not True:
        raise at.wrong(f"is true, or left out; got {value!r}")
    if type(game.editing).mirror is Editing.mirror:
        raise at.wrong(f"the game '{game.name}' does not say how it is mirrored")
    return Mirror()


def make_time(value: Any, at: At, game: GameSpec) -> Change:
    section = at.section(value, ["every", "lag"])
    if not section:
        raise at.wrong("needs 'every' or 'lag'")
    return Time(at.of(section, "every").draw(section.get("every", 1), 1, 60),
                at.of(section, "lag").draw(section.get("lag", 0), 0, 600))  # fmt: skip


def make_on_object(verb: str, value: Any, at: At, game: GameSpec) -> Change:
    keys = {"move": ("object", "which", "x", "y"), "remove": ("object", "which"), "add": ("object", "x", "y")}[verb]
    section = at.section(value, keys, ("object", "x", "y") if verb == "add" else ("object",))
    named = section["object"]
    editing = game.editing
    known = [f"{kind} {thing}" for kind, things in editing.things.items() for thing in things or ("",)]
    known = [name.strip() for name in known] if verb == "add" else [*editing.objects]
    if not known:
        raise at.wrong(f"the game '{game.name}' does not say what objects it has")
    kinds = tuple(
        at.of(section, "object").one_of(k, known) for k in (named if isinstance(named, list) and named else [named])
    )
    which = section.get("which", "all" if verb == "remove" else 0)
    most = max((editing.objects.get(kind.split(" ")[0], 1) for kind in kinds), default=1) - 1
    drawn = None if which == "all" else at.of(section, "which").draw(which, 0, most)
    x, y = (at.of(section, key).draw(section.get(key, 0), -PIXELS, PIXELS) for key in ("x", "y"))
    return OnObject(verb, kinds, drawn, x, y)


def make_tile(value: Any, at: At, game: GameSpec) -> Change:
    section = at.section(value, ("x", "y", "id"), ("x", "y", "id"))
    columns, rows = game.editing.grid
    if not columns:
        raise at.wrong(f"the game '{game.name}' does not say how its tiles are edited")
    x, y, number = (
        at.of(section, key).draw(section[key], 0, most)
        for key, most in (("x", columns - 1), ("y", rows - 1), ("id", 255))
    )
    return Tile(x, y, number)
