"""Reading a .hst file: any frame of any episode, decoding only the groups of pictures it lies in."""

import mmap
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from ...data.episode import Episode
from ...errors import CodecError
from ...film.facts import FilmFacts
from ...remote.files import Ranges, url_of
from ..container.chunks import check_preamble, read_payload
from ..container.contents import Contents, read_contents, read_far
from ..container.description import Description
from ..container.steps import steps_of
from ..film.head import unpack_facts
from .frame import HstFrame, rate
from .groups import Groups
from .mapping import map_file

CACHE_BYTES = 128 << 20


class HstReader(AbstractContextManager["HstReader"]):
    """A .hst file. `len(reader)` frames of all its episodes in a row; `reader[i]` is one, `reader[a:b:c]` a list.

    Safe to share between threads, and picklable (a worker process opens the file anew). A file without a usable index,
    which is still being written or is damaged, is scanned; what is damaged is left out and stated by `gaps` and by
    `missing`.

    Args:
        path: of the file, or its address in an object store (`hstmae.remote`), where it is read by ranges: its index,
            then the descriptions and groups that are wanted.
        cache: bytes of decoded groups that are kept in memory.
        keep: folder where decoded groups are kept for a job that may be interrupted; None = nowhere.
        threads: groups that are decoded at the same time while frames are read in a row.
        **options: for the profile that decodes, e.g. `checkpoint` for the neural one.
    Attributes:
        entries: the episodes' chunks, in the order of `episodes`.
    Raises:
        CodecError: no .hst file, one of a later version, or one without any episode that can be read.
        OSError: it cannot be opened.
    """

    def __init__(
        self, path: str | Path, *, cache: int = CACHE_BYTES, keep: Path | None = None, threads: int = 1, **options: Any
    ) -> None:
        url = url_of(path)
        self._where = url or path
        self.path = Path(path)
        self.options, self._limit, self._keep, self.threads = options, cache, keep, threads
        self._far = None if url is None else Ranges(url)
        self._map: mmap.mmap | None = map_file(self.path) if self._far is None else None
        self._data = memoryview(self._map) if self._map is not None else self._far.data  # type: ignore[union-attr]
        try:
            try:
                self.contents: Contents = self._contents()
            except CodecError as error:
                named = str(error).startswith(str(self._where))
                raise error if named else CodecError(f"{self._where}: {error}") from None
            self.entries = [e for e in self.contents.episodes if e.described and e.gops]
            if not self.entries:
                raise CodecError(f"{self.path}: holds no episode that can be read")
        except CodecError:
            self.close()
            raise
        self._starts = np.cumsum([0, *(entry.frames for entry in self.entries)])
        # Positions of the first frame of each group among the frames that are there.
        self._firsts = [np.cumsum([0, *(h.frames for _, h in e.gops)]) for e in self.entries]
        self.groups = Groups(self._data, str(self._where), self.entries, cache, options, keep, threads, self.need)

    def _contents(self) -> Contents:
        if self._far is not None:
            found = read_far(self._data, self._far.need)
            if found is not None:
                return found
            self._far.need(0, len(self._data))
        check_preamble(self._data, str(self._where))
        return read_contents(self._data)

    def need(self, start: int, end: int) -> None:
        """See that bytes `start` up to `end` of `data` are there. Raises DataError where they cannot be fetched."""
        if self._far is not None:
            self._far.need(start, end)

    @property
    def data(self) -> memoryview:
        """The bytes of the file, all of them."""
        self.need(0, len(self._data))
        return self._data

    @property
    def fetched(self) -> tuple[int, int]:
        """Requests so far, and bytes, of a file that is read by ranges."""
        return (0, 0) if self._far is None else (self._far.requests, self._far.fetched)

    @cached_property
    def _descriptions(self) -> list[Description]:
        return [self._description(k) for k in range(len(self.entries))]

    def _description(self, position: int) -> Description:
        found = self.entries[position].description
        if found is None:
            raise CodecError(f"{self._where}: what it says of episode {position} is damaged")
        return found

    @cached_property
    def _names(self) -> dict[str, int]:
        return {d.name: k for k, d in reversed([*enumerate(self._descriptions)])}

    def __reduce__(self) -> tuple[Any, ...]:
        how: dict[str, Any] = {"cache": self._limit, "keep": self._keep, "threads": self.threads}
        return partial(HstReader, **how, **self.options), (self._where,)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; reading from it is over."""
        if hasattr(self, "groups"):
            self.groups.close()
        if self._far is not None:
            self._far.close()
            self._far = None
        if self._map is not None:
            self._data.release()
            self._map.close()
            self._map = None

    # Episodes

    def episodes(self) -> list[Description]:
        """What the file says about each episode. `description.frames` is what was written; see `frames`."""
        return list(self._descriptions)

    def position(self, episode: int | str) -> int:
        """Position of an episode given by position (negative counts from the end) or name.

        Raises:
            IndexError: no such position.
            CodecError: no such name.
        """
        if isinstance(episode, str):
            if episode not in self._names:
                raise CodecError(f"{self.path} has no episode '{episode}'; the first is '{self._descriptions[0].name}'")
            return self._names[episode]
        if not -len(self.entries) <= episode < len(self.entries):
            raise IndexError(f"episode {episode} of {len(self.entries)}")
        return episode % len(self.entries)

    def frames(self, episode: int | str) -> int:
        """How many frames of an episode the file holds."""
        return self.entries[self.position(episode)].frames

    def missing(self, episode: int | str) -> list[tuple[int, int]]:
        """(first, count) of each lost stretch, in positions of the whole episode."""
        return self.entries[self.position(episode)].missing()

    def episode(self, episode: int | str) -> Episode:
        """A whole episode, without `context`."""
        position = self.position(episode)
        return self.read(position, range(self.entries[position].frames))

    def film(self, episode: int | str) -> FilmFacts | None:
        """The facts of the film that an episode is or was made from; None where it was none, or they are damaged."""
        position = self.position(episode)
        kept = self.groups.film(position)
        if kept is not None:
            return kept.head.facts
        place = self.entries[position].facts
        if place is not None:
            self.need(place[0], place[0] + place[1].size)
        payload = None if place is None else read_payload(self._data, *place)
        try:
            return None if payload is None else unpack_facts(payload)
        except CodecError:
            return None

    def steps(self, episode: int | str) -> dict[str, np.ndarray]:
        """What an environment said of each frame of an episode that `hstmae.gym.RecordSession` recorded.

        Columns [T, ...]: reward float64, terminated, truncated and first bool, action as the environment takes it, and
        what else was recorded, by name. Zeros where that part of the file is lost; {} for other episodes. Raises
        CodecError where what is there makes no sense.
        """
        entry = self.entries[self.position(episode)]
        for at, header in entry.steps:
            self.need(at, at + header.size)
        return steps_of(self._data, entry, str(self.path))

    def read(self, episode: int | str, rows: Sequence[int] | np.ndarray) -> Episode:
        """Some frames of an episode, in this order, without `context`.

        Args:
            episode: position or name.
            rows: positions among the frames of the episode that are there, 0 or more; repeats are allowed.
        Raises:
            IndexError: a row outside of the episode.
            CodecError: a group they lie in is damaged, or its profile, tables or model are not here.
        """
        position = self.position(episode)
        description = self._description(position)
        wanted = np.asarray(rows, np.int64)
        count = self.entries[position].frames
        if wanted.ndim != 1 or (len(wanted) and (wanted.min() < 0 or wanted.max() >= count)):
            raise IndexError(f"rows must be a list of numbers from 0 to {count - 1}")
        frames = np.empty((len(wanted), *description.frame_shape), np.uint8)
        numbers = np.empty(len(wanted), np.int32)
        state = np.empty((len(wanted), description.state), np.uint8) if description.state else None
        buttons = (len(wanted),) if description.actions == 1 else (len(wanted), description.actions)
        actions = np.empty(buttons, np.uint8) if description.actions else None
        group_of = np.searchsorted(self._firsts[position], wanted, "right") - 1
        for k in np.unique(group_of).tolist():
            chosen = group_of == k
            at = wanted[chosen] - self._firsts[position][k]
            frames[chosen], numbers[chosen], states, buttons_there = self.groups.rows(position, k, at)
            if state is not None and states is not None:
                state[chosen] = states
            if actions is not None and buttons_there is not None:
                actions[chosen] = buttons_there
        return Episode(
            name=description.name,
            game=description.game,
            frames=frames,
            palette=description.colours,
            state=state,
            context=None,
            actions=actions,
            frame_numbers=numbers,
            outcome=description.outcome,
            level=description.level,
            fps=description.fps,
            split=description.split,
            source=description.source,
            notes=dict(description.notes),
            corner=description.corner,
        )

    # Frames of all episodes in a row

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> HstFrame: ...
    @overload
    def __getitem__(self, index: slice) -> list[HstFrame]: ...
    def __getitem__(self, index: int | slice) -> HstFrame | list[HstFrame]:
        if isinstance(index, slice):
            chosen = range(*index.indices(len(self)))
            return [self._any(k, onward=len(chosen) > 1) for k in chosen]
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        return self._any(index % len(self))

    def __iter__(self) -> Iterator[HstFrame]:
        return (self._any(k, onward=True) for k in range(len(self)))

    def _any(self, at: int, onward: bool = False) -> HstFrame:
        position = int(np.searchsorted(self._starts, at, "right")) - 1
        return self._frame(position, at - int(self._starts[position]), onward)

    def _frame(self, position: int, row: int, onward: bool) -> HstFrame:
        description = self._description(position)
        k = int(np.searchsorted(self._firsts[position], row, "right")) - 1
        at = np.array([row - int(self._firsts[position][k])])
        frames, numbers, state, actions = self.groups.rows(position, k, at, onward)
        return HstFrame(
            description.name,
            row,
            int(numbers[0]),
            frames[0],
            description.colours,
            None if state is None else state[0],
            None if actions is None else int(actions.reshape(-1)[0]),
        )

    def play(
        self, episode: int | str = 0, fps: float | None = None, rows: range | None = None, start: int = 0
    ) -> Iterator[HstFrame]:
        """Frames of an episode at a rate: some are passed over, or shown again, as its own rate asks for.

        Args:
            fps: pictures per second; None = the episode's own, every frame once.
            rows: part of the episode to play; None = all of it.
            start: pictures at the beginning that are passed over.
        """
        position = self.position(episode)
        part = range(self.entries[position].frames) if rows is None else rows
        step = Fraction(1) if fps is None else rate(self._description(position).fps) / rate(fps)
        k = start
        while int(k * step) < len(part):
            yield self._frame(position, part[int(k * step)], onward=k > start)  # the first one soon
            k += 1
