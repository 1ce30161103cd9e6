"""A console that is brought to a recorded frame, edited there, and plays on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....errors import DataError
from ....games.nes.memory import RUNS, WORK, pack_runs, runs_of
from ....games.nes.picture import PictureUnit
from .console import NesConsole
from .scrolling import RunFinder
from .session import read_frame

Edit = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Rolled:
    """What the console made of an edited frame.

    Attributes:
        states: uint8 [T, SIZE]; frames: NES colours uint8 [T, 240, 256], as the console shows them; actions uint8 [T].
        first: 0 where the first of these frames is the edited one itself, drawn anew; else 1, the one after it.
        told: share of the pixels that follow from the states.
        said: what could not be done, one sentence each.
    """

    states: np.ndarray
    frames: np.ndarray
    actions: np.ndarray
    first: int
    told: float
    said: tuple[str, ...]


def roll_on(rom: Path, actions: np.ndarray, recorded: np.ndarray, at: int, count: int, edit: Edit) -> Rolled:
    """Play a recording again up to a frame, edit what the console holds, and let it play on.

    Args:
        rom: the recording's.
        actions: uint8 [N] of the recording from the first frame on; where they end no button is held.
        recorded: uint8 [SIZE], the recorded state of frame `at`, by which is checked that it is the same play.
        at: position of the frame.
        count: frames to play on.
        edit: memory uint8 [SIZE] -> edited.
    Raises:
        DataError: the ROM cannot be run, or what it plays is not what was recorded.
    """
    console = NesConsole(rom)
    console.emulator.power()
    work = console.emulator.ram()
    for action in actions[: at + 1].tolist():
        work = console.emulator.ram()
        console.emulator.step(action)
    state, finder = console.emulator.save(), RunFinder(console.alike)
    memory = console.memory(state)
    memory[WORK], memory[RUNS] = work, recorded[RUNS]
    if not np.array_equal(memory, recorded):
        raise DataError(
            f"{rom}: played by the recorded buttons, its frame {at} is not what was recorded: another ROM, or a "
            "recording that did not begin when the console was switched on"
        )
    memory[WORK] = console.emulator.ram()  # what the next frame begins with
    edited, said = edit(memory), []
    states, frames, untold = [], [], 0
    runs = runs_of(recorded)
    whole = len(runs) == 1 and runs[0].told
    if whole:  # its picture has one setting, as that of `redraw` has
        shown, run = console.redraw(state, edited)
        drawn = edited.copy()
        drawn[RUNS] = pack_runs([run])
        told = PictureUnit().draw(drawn)  # of colours that look alike the one that is in memory
        states.append(drawn)
        frames.append(np.where(console.alike[told] == shown, told, shown).astype(np.uint8))
    else:
        said.append("the edited frame itself is left out: its scrolling changes within the picture")
    said += console.put(state, edited)
    keys = [*actions[at + 1 : at + 1 + count].tolist()]
    keys += [0] * (count - len(keys))
    for action in keys:
        work = console.emulator.ram()
        console.emulator.step(action)
        held, picture, lost, _ = read_frame(console, finder, work)
        states.append(held)
        frames.append(picture)
        untold += lost
    held_buttons = [*([int(actions[at])] if whole else []), *keys]
    share = 1 - untold / (240 * len(frames))
    return Rolled(
        np.stack(states), np.stack(frames), np.array(held_buttons, np.uint8), 0 if whole else 1, share, tuple(said)
    )
