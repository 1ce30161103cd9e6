"""State and actions recorded beside a film or a folder of pictures: NAME.npz or NAME.jsonl, one entry per frame.

npz: arrays `state` [T, S] and/or `actions` [T], whole numbers 0 to 255.
jsonl: one object a line, {"state": [..] or "hex", "action": n}; each key in every line or in none.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .base import SourceFrame, UnusableEpisode

SUFFIXES = (".npz", ".jsonl")
MAX_BYTES = 2 << 30  # unpacked
MAX_LINE = 1 << 20


@dataclass(frozen=True)
class SideData:
    """What a side file holds: state uint8 [T, S] or None, actions uint8 [T] or None, not both None."""

    state: np.ndarray | None
    actions: np.ndarray | None

    def __len__(self) -> int:
        return len(self.state if self.state is not None else self.actions)  # type: ignore[arg-type]


def find_side_file(stem: Path) -> Path | None:
    """`stem` + .npz or .jsonl, where there is one. Raises UnusableEpisode where there are both."""
    places = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
    found = [path for path in places if os.path.isfile(path)]  # Path.is_file fails for names that are too long
    if len(found) > 1:
        raise UnusableEpisode(f"{found[0].name} and {found[1].name}: keep one of these side files")
    return found[0] if found else None


def side_data(side: Path | UnusableEpisode | None, state_size: int | None) -> SideData | None:
    """What stands beside an episode: of a side file as `read_side_file`; raises why there is none that can be used."""
    if isinstance(side, UnusableEpisode):
        raise side
    return None if side is None else read_side_file(side, state_size)


def read_side_file(path: Path, state_size: int | None) -> SideData:
    """Read a side file with `state_size` bytes of state per frame, None = any. Raises UnusableEpisode where it cannot
    be read, or holds something else than described above."""
    try:
        if path.suffix.lower() == ".npz":
            side = _from_npz(path)
        elif path.suffix.lower() == ".jsonl":
            side = _from_jsonl(path)
        else:
            raise ValueError("a side file ends in .npz or .jsonl")
        if side.state is None and side.actions is None:
            raise ValueError("neither state nor actions in it")
        if side.state is not None and side.actions is not None and len(side.state) != len(side.actions):
            raise ValueError(f"state of {len(side.state)} frames, actions of {len(side.actions)}")
        if side.state is not None and state_size is not None and side.state.shape[1] != state_size:
            raise ValueError(f"{side.state.shape[1]} bytes of state per frame; the game has {state_size}")
    except (OSError, ValueError, KeyError, EOFError, MemoryError, OverflowError, NotImplementedError) as error:
        raise UnusableEpisode(f"side file {path.name}: {error or type(error).__name__}") from None
    except Exception as error:  # numpy parses heads of arrays as Python text: damaged ones may raise nearly anything
        raise UnusableEpisode(f"side file {path.name} is damaged ({type(error).__name__}: {error})") from None
    return side


def with_side(number: int, pixels: np.ndarray, side: SideData | None, palette: np.ndarray | None = None) -> SourceFrame:
    """A frame with its row of the side file."""
    state = None if side is None or side.state is None else side.state[number]
    action = None if side is None or side.actions is None else int(side.actions[number])
    return SourceFrame(number, pixels, palette, state, action)


def _from_npz(path: Path) -> SideData:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise ValueError(f"unpacks to {size} bytes; the limit is {MAX_BYTES}")
    with np.load(path, allow_pickle=False) as arrays:
        state = _bytes(arrays["state"], "state", 2) if "state" in arrays else None
        actions = _bytes(arrays["actions"], "actions", 1) if "actions" in arrays else None
    return SideData(state, actions)


def _bytes(values: np.ndarray, name: str, axes: int) -> np.ndarray:
    if values.ndim != axes or values.dtype.kind not in "iub":
        raise ValueError(f"{name} must hold whole numbers, {axes} axes; got {values.dtype} {list(values.shape)}")
    if values.size == 0:
        raise ValueError(f"{name} is empty")
    if values.min() < 0 or values.max() > 255:
        raise ValueError(f"{name} must lie in 0 .. 255; got {values.min()} .. {values.max()}")
    return np.ascontiguousarray(values, np.uint8)


def _from_jsonl(path: Path) -> SideData:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    states: list[bytes] = []
    actions: list[int] = []
    count = 0
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise ValueError(f"line {count + 1} is longer than {MAX_LINE} bytes")
            if not line.strip():
                continue
            count += 1
            try:
                _take(json.loads(line), states, actions)
            except (ValueError, TypeError, RecursionError) as error:
                raise ValueError(f"entry {count}: {error}") from None
            if len(states) not in (0, count) or len(actions) not in (0, count):
                raise ValueError(f"entry {count}: state and action must stand in every entry or in none")
            if states and len(states[-1]) != len(states[0]):
                raise ValueError(f"entry {count}: {len(states[-1])} bytes of state, {len(states[0])} before")
    state = np.frombuffer(b"".join(states), np.uint8).reshape(count, -1) if states and states[0] else None
    return SideData(state, np.array(actions, np.uint8) if actions else None)


def _take(entry: Any, states: list[bytes], actions: list[int]) -> None:
    if not isinstance(entry, dict):
        raise ValueError("not an object")
    state, action = entry.get("state"), entry.get("action")
    if state is not None:
        if not isinstance(state, list | str):
            raise ValueError("state must be a list of numbers 0 .. 255 or a hex string")
        states.append(bytes.fromhex(state) if isinstance(state, str) else bytes(state))
    if action is not None:
        if type(action) is not int or not 0 <= action <= 255:
            raise ValueError(f"action must be a number 0 .. 255, got {action!r}")
        actions.append(action)
