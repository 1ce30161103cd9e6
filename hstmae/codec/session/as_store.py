"""A .hst file as a store: what clips are drawn from, without unpacking it to the disk.

A group of pictures is decoded when a clip needs it, and then kept in memory, packed by zstd as a store packs it: some
hundred bytes a frame. So every group is decoded once as long as there is room, and read as quickly as a store's then.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...data.episode import Episode
from ...data.store.columns import Column
from ...data.store.manifest import EpisodeInfo, canonical, runs_of, split_of
from ...errors import CodecError, StoreError
from ...games import get_game
from ...remote.files import url_of
from ..lossless.kernel import DECODE
from ..lossless.profile import LosslessProfile
from .packed import BLOCK, Packed, in_threads
from .reader import HstReader

ROOM = 1 << 30  # bytes of packed groups that are kept
_RULE: dict[str, Any] = {
    "val_levels": [],
    "val_fraction": 0.05,
}  # by which episodes are split where the file says nothing


class HstStore:
    """A .hst file with the interface of `EpisodeStore`, as far as clips need it. Thread-safe, and picklable.

    Splits are those that `hstmae decode --to store` would make. What earlier memory tells (`GameSpec.context`) is
    worked out from an episode's whole memory when its first clip is drawn.

    Args:
        path: of the file, or its address in an object store.
        room: bytes of packed groups that are kept in memory.
        **options: for the profile that decodes.
    Raises:
        CodecError: as of HstReader, or frames are lost.
        StoreError: its episodes are of several games.
    """

    def __init__(self, path: str | Path, room: int = ROOM, **options: Any) -> None:
        self.path, self._room, self._options = Path(path), room, options
        self._where = url_of(path) or path
        self._reader = HstReader(path, cache=1, **options)
        self._reader.need(0, len(self._reader.data))  # a file far away is fetched whole: all of it is going to be read
        descriptions = self._reader.episodes()
        games = sorted({d.game for d in descriptions})
        if len(games) > 1:
            raise StoreError(f"{path}: holds {', '.join(games)}: make a file of each with `hstmae encode --episodes`")
        self.game = games[0]
        self._spec = get_game(self.game)
        rule = self._reader.contents.about.get("splits")
        rule = rule if isinstance(rule, dict) and {*_RULE} <= {*rule} else _RULE
        self._numbers: list[np.ndarray] = []
        self._infos: list[EpisodeInfo] = []
        running = hashlib.sha256()
        for k, description in enumerate(descriptions):
            if self._reader.missing(k) or not self._reader.entries[k].final or not self._reader.contents.indexed:
                why = "frames of it are lost, or it was not closed; `hstmae recover` makes a file of what is whole"
                raise CodecError(f"{path}: {description.name}: {why}")
            heads = [self._reader.groups.head(k, g) for g in range(len(self._reader.entries[k].gops))]
            numbers = np.concatenate([own for _, own in heads])
            self._numbers.append(numbers)
            split = split_of(description.name, description.level, rule["val_levels"], rule["val_fraction"])
            self._infos.append(self._info(k, numbers, split))
            running.update(canonical([description.name, description.level, split, [h.hex() for h, _ in heads]]))
            running.update(numbers.astype("<i4").data)
        self.hash = running.hexdigest()
        self.frames = sum(info.frames for info in self._infos)
        self._names = {info.name: k for k, info in enumerate(self._infos)}
        self._firsts = [np.cumsum([0, *(h.frames for _, h in e.gops)]) for e in self._reader.entries]
        self._lock = threading.Lock()
        self._packed: OrderedDict[tuple[int, int], dict[str, Packed]] = OrderedDict()
        self._coming: dict[tuple[int, int], Future[dict[str, Packed]]] = {}
        self._beside: dict[int, list[dict[str, Packed]]] = {}  # memory and buttons by episode and group
        self._size = 0
        self._making = [threading.Lock() for _ in self._infos]

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(HstStore, room=self._room, **self._options), (self._where,)

    def __len__(self) -> int:
        return len(self._infos)

    @property
    def meta(self) -> dict[str, Any]:
        """Of what a store's manifest says: how many episodes each split has."""
        return {"totals": {"episodes_by_split": dict(Counter(info.split for info in self._infos))}}

    def infos(self) -> list[EpisodeInfo]:
        return list(self._infos)

    def info(self, episode: int | str) -> EpisodeInfo:
        return self._infos[self.position(episode)]

    def position(self, episode: int | str) -> int:
        """As of `EpisodeStore`."""
        if isinstance(episode, str):
            if episode not in self._names:
                raise StoreError(f"{self.path} has no episode '{episode}'")
            return self._names[episode]
        if not -len(self._infos) <= episode < len(self._infos):
            raise IndexError(f"episode {episode} of {len(self._infos)}")
        return episode % len(self._infos)

    def frame_numbers(self, episode: int | str) -> np.ndarray:
        """int32 [frames]."""
        return self._numbers[self.position(episode)]

    def group_ends(self, episode: int) -> np.ndarray:
        """int64 [G]: where each group of an episode ends, in positions of its frames."""
        return self._firsts[episode][1:]

    def _info(self, k: int, numbers: np.ndarray, split: str) -> EpisodeInfo:
        d = self._reader.episodes()[k]
        shapes = {"frames": d.frame_shape}
        if d.state:
            shapes["state"] = (d.state,)
            if self._spec.context_size and d.state == self._spec.state_size:
                shapes["context"] = (self._spec.context_size,)
        if d.actions:
            shapes["actions"] = () if d.actions == 1 else (d.actions,)
        columns = {name: Column(name, shape, len(numbers), BLOCK, "", 0, 0) for name, shape in shapes.items()}
        return EpisodeInfo(
            name=d.name, game=d.game, level=d.level, outcome=d.outcome, split=split, frames=len(numbers),
            size=(d.height, d.width), fps=d.fps, runs=runs_of(numbers), palette=d.colours, source=d.source,
            notes=dict(d.notes), content_hash="", columns=columns, data_bytes=0, data_sha256="", corner=d.corner,
        )  # fmt: skip

    def read(
        self, episode: int | str, frame_indices: Sequence[int] | np.ndarray,
        columns: Sequence[str] = ("frames", "state", "context", "actions"),
    ) -> Episode:  # fmt: skip
        """As of `EpisodeStore`."""
        position = self.position(episode)
        info, rows = self._infos[position], np.asarray(frame_indices, np.int64)
        if rows.ndim != 1 or (len(rows) and (rows.min() < 0 or rows.max() >= info.frames)):
            raise IndexError(f"frame indices must be a list of numbers from 0 to {info.frames - 1}")
        beside = {
            name: self.column(position, name, rows) if name in info.columns and name in columns else None
            for name in ("state", "context", "actions")
        }
        return Episode(
            name=info.name, game=info.game, frames=self.column(position, "frames", rows), palette=info.palette,
            frame_numbers=self._numbers[position][rows], outcome=info.outcome, level=info.level, fps=info.fps,
            split=info.split, source=info.source, notes=dict(info.notes), corner=info.corner, **beside,
        )  # fmt: skip

    def column(
        self, episode: int | str, name: str, rows: np.ndarray, window: tuple[slice, ...] = (),
        out: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """As of `EpisodeStore`. Raises CodecError where a group is damaged or cannot be decoded here."""
        position = self.position(episode)
        rows = np.asarray(rows, np.int64)
        if out is None:
            one = np.empty(self._infos[position].columns[name].shape, np.uint8)[window]
            out = np.empty((len(rows), *one.shape), np.uint8)
        firsts = self._firsts[position]
        group_of = np.searchsorted(firsts, rows, "right") - 1
        for k in np.unique(group_of).tolist():
            mine = np.flatnonzero(group_of == k)
            packed = self.group(position, k, beside=name != "frames")[name]
            part = np.empty((len(mine), *out.shape[1:]), np.uint8)
            packed.rows(rows[mine] - firsts[k], window, part)
            out[mine] = part
        return out

    def group(self, position: int, k: int, beside: bool = False) -> dict[str, Packed]:
        """The columns of a group, packed: decoded where it is not there. `beside` is enough where memory and buttons
        alone are wanted."""
        with self._lock:
            if (position, k) in self._packed:
                self._packed.move_to_end((position, k))
                return self._packed[position, k]
            if beside and position in self._beside:
                return self._beside[position][k]
        return self._made(position, k)

    def _made(self, position: int, k: int) -> dict[str, Packed]:
        """A group, decoded once however many threads ask for it."""
        with self._lock:
            if (position, k) in self._packed:
                return self._packed[position, k]
            coming = self._coming.get((position, k))
            own = None if coming is not None else Future[dict[str, Packed]]()
            if own is not None:
                self._coming[position, k] = own
        if own is None:
            assert coming is not None
            return coming.result()
        try:
            made = self._decoded(position, k)
        except BaseException as error:
            with self._lock:
                del self._coming[position, k]
            own.set_exception(error)
            raise
        with self._lock:
            self._packed[position, k] = made
            self._size += made["frames"].bytes
            while self._size > self._room and len(self._packed) > 1:
                self._size -= self._packed.popitem(last=False)[1]["frames"].bytes
            del self._coming[position, k]
        own.set_result(made)
        return made

    def prepare(self, groups: Sequence[tuple[int, int]]) -> None:
        """Decode the groups that are not there, (position of the episode, number), side by side."""
        with self._lock:
            missing = [group for group in dict.fromkeys(groups) if group not in self._packed]
        in_threads(lambda group: self._made(*group), missing)

    def _decoded(self, position: int, k: int) -> dict[str, Packed]:
        info, groups = self._infos[position], self._reader.groups
        if "context" not in info.columns:
            gop = groups.decode(position, k)[0]
            found = {"frames": gop.frames, "state": gop.state, "actions": gop.actions}
            return {name: Packed.of(rows) for name, rows in found.items() if rows is not None}
        beside = self._memory_of(position)
        profile = groups.profile(position)
        parts = groups.parts(position, k)
        shape = self._reader.episodes()[position].shape(len(parts.numbers))
        if not isinstance(profile, LosslessProfile) or shape.channels != 1:
            return {"frames": Packed.of(groups.decode(position, k)[0].frames), **beside[k]}
        state = np.empty((shape.frames, shape.state), np.uint8)
        beside[k]["state"].rows(np.arange(shape.frames), (), state)
        frames = np.zeros((shape.frames, shape.height, shape.width), np.uint8)
        profile.pictures(DECODE, frames, state, shape, parts.streams["PICT"])
        return {"frames": Packed.of(frames), **beside[k]}

    def _memory_of(self, position: int) -> list[dict[str, Packed]]:
        """Memory, what earlier memory tells, and buttons of all groups of an episode."""
        with self._lock:
            if position in self._beside:
                return self._beside[position]
        with self._making[position]:  # waited for by whoever decodes another group of it
            with self._lock:
                if position in self._beside:
                    return self._beside[position]
            found = self._decoded_memory(position)
            with self._lock:
                self._beside[position] = found
            return found

    def _decoded_memory(self, position: int) -> list[dict[str, Packed]]:
        groups, description = self._reader.groups, self._reader.episodes()[position]

        def rows(k: int) -> tuple[np.ndarray, np.ndarray | None]:
            profile = groups.profile(position)
            if isinstance(profile, LosslessProfile):
                parts = groups.parts(position, k)
                state, buttons = profile.decode_beside(parts.streams, description.shape(len(parts.numbers)))
            else:
                gop = groups.decode(position, k)[0]
                state, buttons = gop.state, gop.actions
            assert state is not None  # there is no context without it
            return state, buttons

        states, actions = zip(*in_threads(rows, range(len(self._reader.entries[position].gops))), strict=True)
        context = self._spec.context(np.concatenate(states), self._numbers[position])
        ends, found = self._firsts[position], []
        for k, (state, buttons) in enumerate(zip(states, actions, strict=True)):
            own = {"state": Packed.of(state), "context": Packed.of(context[ends[k] : ends[k + 1]])}
            if buttons is not None:
                own["actions"] = Packed.of(buttons.reshape(len(state), *self._infos[position].columns["actions"].shape))
            found.append(own)
        return found
