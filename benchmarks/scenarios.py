"""Edited states of the NES against the console's own picture of the same edited memory.

    python benchmarks/scenarios.py --rom ANY.nes [--rom ...] [--states 500] [--seed 0] [--json FILE]

While a ROM is played by chance, what its picture unit holds is edited in ten ways in turn. What `hstmae.games.nes`
draws of it is compared with what the emulator draws when the same memory is put into it and the picture begins anew
(see `NesConsole.redraw`; the settings of a picture's end hold for all of it). A pixel is told or not by the state; each
kind of edit says which share is told, how much of that is exactly as the console shows it, and how much changed at all.
Patterns are edited only where the cartridge has RAM for them; else tiles are, and count as such.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hstmae.atomic import write_json
from hstmae.data.sources.nes.console import NesConsole
from hstmae.games.nes.memory import COLOURS, LINES, PATTERNS, RUNS, SPRITES, TABLES, pack_runs
from hstmae.games.nes.picture import UNTOLD, PictureUnit

Change = Callable[[np.ndarray, np.random.Generator], None]
BEGIN, EVERY = 60, 6  # frames before the first edit, and between two


def _sprites(memory: np.ndarray) -> np.ndarray:
    return memory[SPRITES].reshape(64, 4)


def moved(memory: np.ndarray, random: np.random.Generator) -> None:
    _sprites(memory)[:, [0, 3]] += random.integers(0, 60, 2, dtype=np.uint8)


def removed(memory: np.ndarray, random: np.random.Generator) -> None:
    _sprites(memory)[random.integers(0, 64, 32), 0] = 255


def added(memory: np.ndarray, random: np.random.Generator) -> None:
    _sprites(memory)[32:] = random.integers(0, 240, (32, 4))


def other_tiles(memory: np.ndarray, random: np.random.Generator) -> None:
    _sprites(memory)[:, 1] = random.integers(0, 256, 64)


def mirrored(memory: np.ndarray, random: np.random.Generator) -> None:
    _sprites(memory)[:, 2] ^= np.uint8(random.choice([64, 128, 192]))


def behind(memory: np.ndarray, random: np.random.Generator) -> None:
    _sprites(memory)[:, 2] ^= 32


def tiles(memory: np.ndarray, random: np.random.Generator) -> None:
    memory[TABLES][random.integers(0, 960, 200)] = random.integers(0, 256, 200)


def cell_palettes(memory: np.ndarray, random: np.random.Generator) -> None:
    memory[TABLES][960:1024] = random.integers(0, 256, 64)


def colours(memory: np.ndarray, random: np.random.Generator) -> None:
    memory[COLOURS] = random.integers(0, 64, 32)


def patterns(memory: np.ndarray, random: np.random.Generator) -> None:
    memory[PATTERNS][random.integers(0, 8192, 2000)] = random.integers(0, 256, 2000)


KINDS: tuple[Change, ...] = (
    moved, removed, added, other_tiles, mirrored, behind, tiles, cell_palettes, colours, patterns,
)  # fmt: skip


def measured(rom: Path, states: int, seed: int) -> dict[str, list[tuple[float, float, float]]]:
    """Per kind of edit and state: share told, share of that exactly right, share that is not as without the edit."""
    console, unit, random = NesConsole(rom), PictureUnit(), np.random.default_rng(seed)
    found: dict[str, list[tuple[float, float, float]]] = {}
    own_patterns = rom.read_bytes()[5] == 0
    for t in range(BEGIN + EVERY * states):
        if t % 8 == 0:
            buttons = int(random.integers(256))
        console.emulator.step(buttons)
        if t < BEGIN or t % EVERY:
            continue
        change = KINDS[t // EVERY % len(KINDS)]
        state = console.emulator.save()
        memory = console.memory(state)
        before = memory.copy()
        (tiles if change is patterns and not own_patterns else change)(memory, random)
        shown, run = console.redraw(state, memory)
        console.emulator.load(state)
        memory[RUNS] = before[RUNS] = pack_runs([run])
        drawn, plain = unit.draw(memory), unit.draw(before)
        told = drawn != UNTOLD
        right = console.alike[drawn[told]] == shown[told]
        found.setdefault(change.__name__, []).append(
            (told.mean(), right.mean() if told.any() else 1.0, (drawn != plain).sum() / (LINES * 256))
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rom", type=Path, action="append", required=True)
    parser.add_argument("--states", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report = {}
    print("| rom | edit | states | told | of that exact | worst state | changed |\n|---|---|---:|---:|---:|---:|---:|")
    for rom in args.rom:
        found = measured(rom, args.states, args.seed)
        report[rom.name] = found
        for kind, rows in [*found.items(), ("all", [row for part in found.values() for row in part])]:
            told, right, changed = np.array(rows).T
            exact = (told * right).sum() / told.sum()
            cells = f"{told.mean():.3%} | {exact:.4%} | {right.min():.4%} | {changed.mean():.2%}"
            print(f"| {rom.name} | {kind} | {len(rows)} | {cells} |", flush=True)
    if args.json:
        write_json(args.json, report)


if __name__ == "__main__":
    main()
