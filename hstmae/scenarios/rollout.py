"""Clips that a console draws and plays on by itself, from a state that was edited."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.sources.nes.rolling import roll_on
from ..errors import DataError, UsageError
from .changes import Mirror, Time
from .drawing import Drawn
from .programme import Programme
from .scene import Others, Scene
from .splicing import Splice

if TYPE_CHECKING:
    from .making import Recordings

GAME = "nes"


def check_rollout(programme: Programme, game: str) -> None:
    """Raises UsageError for a game, or an edit, with which no console can play on."""
    if game != GAME:
        raise UsageError(
            f"--rollout is for recordings of game '{GAME}' (`hstmae record --game nes`), these are '{game}'"
        )
    for step in programme.steps:
        for change in step.choices:
            if isinstance(change, Mirror | Splice | Time):
                name = type(change).__name__.lower()
                raise UsageError(f"--rollout edits one moment, from which the console plays on: leave '{name}' out")


def roll_clips(
    store: Recordings, programme: Programme, rom: Path, count: int, seed: int, clips: list[dict[str, Any]]
) -> Iterator[Drawn]:
    """As `make_clips`, of `count` frames each that the console plays after the edited one; all pixels are its own.

    Raises:
        DataError: the ROM cannot be run, or a recording is not what it plays.
        GameError: the game does not allow an edit.
    """
    nobody = Others({}, lambda name: np.zeros((0, 0), np.uint8), store.read)
    digest = hashlib.sha256(rom.read_bytes()).hexdigest() if rom.is_file() else ""
    for number, info in enumerate(store.infos()):
        for copy in range(programme.variants):
            random = np.random.default_rng([seed, number, copy])
            at = min(programme.start(random), info.frames - 1)
            here = store.read(info.name, range(at, min(at + 1 + count, info.frames)))
            numbers = store.column(info.name, "actions", np.arange(info.frames)) if here.actions is not None else None
            if here.state is None or numbers is None or int(here.frame_numbers[0]) != at + 1:
                raise DataError(
                    f"{info.name}: has no state, no buttons or gaps before frame {at}: it cannot be played again"
                )
            scene = Scene.of(here.take(slice(0, 1)))

            def edit(memory: np.ndarray, scene: Scene = scene, random: np.random.Generator = random) -> np.ndarray:
                scene.state = scene.recorded = memory[None]
                programme.apply(scene, random, nobody)
                return np.asarray(scene.state[0])

            made = roll_on(rom, numbers, here.state[0], at, count, edit)
            scene.say(made.said)
            same = min(len(made.frames), len(here) - made.first)
            changed = (
                float((made.frames[:same] != here.frames[made.first : made.first + same]).mean()) if same > 0 else 1.0
            )
            first = at + 1 + made.first
            episode = replace(
                here, name=f"{info.name}_roll{copy}", frames=made.frames, state=made.states, actions=made.actions,
                context=None, frame_numbers=np.arange(first, first + len(made.frames), dtype=np.int32),
            )  # fmt: skip
            breaks = scene.breaks()
            record = {
                "of": info.name, "first": at, "seed": seed, "variant": copy, "rollout": count, "rom": digest,
                "edits": scene.done, "seams": [], "said": scene.said, "breaks": breaks, "sure": 1.0, "changed": changed,
                "told": made.told,
            }  # fmt: skip
            about: list[object] = [store.hash, info.name, at, count, seed, copy, programme.text, digest]
            sure = np.ones(len(made.frames), np.float32)
            clips.append({"name": episode.name, **record, "frames": len(made.frames), "edited": 1, "kept": True})
            yield Drawn(episode, sure, 1.0, changed, breaks, record, about=about)
