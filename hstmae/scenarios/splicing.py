"""One recording goes on as another, at a moment at which the states of both agree."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from ..data.episode import Episode
from ..errors import DataError
from ..games import GameSpec, StateField
from ..games.editing import Joints
from .scene import Others, Scene
from .values import At, Draw, fixed

ANY = "any"
_TRIED = 24  # moments whose pictures are compared
_MORE = 0.02  # share of a picture that may change at a seam beyond what changes in the recordings
_AT_ONCE = 1 << 22  # differences worked out together
_NAMED = 12  # fields of which a seam tells how they jump
_LONGEST = 8  # bytes of a field that is told of


class CannotBeDone(DataError):
    """An edit that this clip does not allow: it is left out, and others go on."""


@dataclass(frozen=True)
class Splice:
    """The clip goes on as another episode.

    Attributes:
        partner: name of an episode, or ANY.
        least: frames of each part.
    """

    partner: str
    least: Draw

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        least = self.least(random)
        names = [self.partner] if self.partner != ANY else [n for n in others.names if n != scene.episode.name]
        if self.partner not in (ANY, *others.names):
            first_name = next(iter(others.names), "")
            raise DataError(f"splice: no episode '{self.partner}' has states here; the first one is '{first_name}'")
        first = scene.game.editing.joints(scene.state)
        for name in random.permutation(names).tolist():
            second = scene.game.editing.joints(others.state(name))
            here = slice(scene.begin + least, max(len(scene.state) - (least if scene.limited else 0), 0) + 1)
            found = agreeing(first, second, here, slice(0, max(len(second.same) - least, 0) + 1))
            if len(found):
                nearest = found[np.argsort(found[:, 2], kind="stable")[: 4 * _TRIED]]
                for i, j, _ in random.permutation(nearest)[:_TRIED].tolist():
                    if self._joined(scene, others, name, i, j):
                        scene.done.append({"splice": {"with": name, "least": least}})
                        return
        what = f"'{self.partner}'" if self.partner != ANY else f"any of the {len(names)} others"
        raise CannotBeDone(
            f"at no moment its state agrees with that of {what}, {least} frames from its beginning and their ends"
        )

    def _joined(self, scene: Scene, others: Others, name: str, i: int, j: int) -> bool:
        count = len(scene.state) - i if scene.limited else others.names[name] - j
        rows = range(j, min(j + count, others.names[name]))
        before = max(j - 1, 0)
        old, near = scene.episode.frames, others.read(name, range(before, j + 1)).frames
        if old.shape[1:] != near.shape[1:]:
            return False
        change = _share(old[i - 1], near[-1])
        usual = max(_share(old[i - 1], old[i]) if i < len(old) else 0.0, _share(near[0], near[-1]))
        if change > usual + _MORE:
            return False
        other = others.read(name, rows)
        assert other.state is not None
        jumps = _jumps(scene.game, scene.recorded[i] if i < len(old) else scene.recorded[i - 1], other.state[0])
        scene.seams.append(
            {"frame": i - scene.begin, "with": name, "from": int(other.frame_numbers[0]), "picture_changes": change,
             "usually": usual, "jumps": jumps}
        )  # fmt: skip
        scene.episode = _put_together(scene.episode, other, i)
        scene.state = np.concatenate([scene.state[:i], other.state])
        scene.recorded = np.concatenate([scene.recorded[:i], other.state])
        return True


def agreeing(first: Joints, second: Joints, here: slice, there: slice) -> np.ndarray:
    """Moments that agree, int64 [N, 3]: positions in both, and how far apart they are, in thousandths of what may be.

    Args:
        here, there: positions that are asked.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for j in range(*there.indices(len(second.same))):
        groups[second.same[j].tobytes()].append(j)
    alike: dict[bytes, list[int]] = defaultdict(list)
    for i in range(*here.indices(len(first.same))):
        if (key := first.same[i].tobytes()) in groups:
            alike[key].append(i)
    found = [np.zeros((0, 3), np.int64)]
    for key, mine in alike.items():
        theirs = np.array(groups[key])
        step = max(1, _AT_ONCE // max(len(theirs) * max(first.near.shape[1], 1), 1))
        for at in range(0, len(mine), step):
            rows = np.array(mine[at : at + step])
            apart = np.abs(first.near[rows][:, None] - second.near[theirs][None])
            fits = (apart <= first.most).all(-1)
            score = (1000 * apart / np.maximum(first.most, 1)).sum(-1).astype(np.int64)
            a, b = np.nonzero(fits)
            found.append(np.stack([rows[a], theirs[b], score[a, b]], 1))
    return np.concatenate(found)


def _put_together(first: Episode, second: Episode, i: int) -> Episode:
    numbers = second.frame_numbers - second.frame_numbers[0]
    begin = int(first.frame_numbers[i - 1]) + 1 if i else int(second.frame_numbers[0])
    both = first.actions is not None and second.actions is not None
    return replace(
        first,
        frames=np.concatenate([first.frames[:i], second.frames]),
        state=None, context=None,
        actions=np.concatenate([first.actions[:i], second.actions]) if both else None,  # type: ignore[index,list-item]
        frame_numbers=np.concatenate([first.frame_numbers[:i], begin + numbers]).astype(np.int32),
        outcome=second.outcome,
    )  # fmt: skip


def _share(one: np.ndarray, other: np.ndarray) -> float:
    return float((one != other).mean())


def _jumps(game: GameSpec, before: np.ndarray, after: np.ndarray) -> dict[str, list[list[int]]]:
    """Documented numbers that are others at the moment of a seam: by name, what they were and what they are."""
    found: dict[str, list[list[int]]] = {}
    for field in game.fields:
        if field.count <= _LONGEST and len(found) < _NAMED:
            was, now = (_values(field, memory) for memory in (before, after))
            if was != now:
                found[field.name] = [was, now]
    return found


def _values(field: StateField, memory: np.ndarray) -> list[int]:
    return [int(value) for value in memory[field.address : field.address + field.count]]


def make_splice(value: object, at: At, game: GameSpec) -> Splice:
    """From a programme. Raises ConfigError."""
    section = at.section(value, ("with", "least"))
    partner = section.get("with", ANY)
    if not isinstance(partner, str):
        raise at.of(section, "with").wrong(f"must be the name of an episode, or {ANY}; got {partner!r}")
    least = at.of(section, "least").draw(section["least"], 1, 100_000) if "least" in section else fixed(16)
    return Splice(partner, least)
