"""Frames in, chunks out: one episode on its way into a .hst file. Knows no file, so it runs in any process."""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...data.episode import Episode
from ...errors import DataError
from ..container.chunks import MAX_GOP
from ..container.description import MAX_PIXELS, MAX_SIDE, Description
from ..container.gop import Gop, Profile
from ..container.group_chunks import content_hash, pack_gop
from .profiles import LIVE_GOP, Following, decodes_exactly, usual_gop

MAX_ROW = 1 << 16  # bytes of a frame's memory and actions that the coder of rows takes
_MAX_RAW = 64 << 20  # a group is held in memory several times over, so large pictures come in smaller groups


def description_of(
    profile: Profile,
    *,
    frame: np.ndarray,
    palette: np.ndarray | None,
    state: np.ndarray | None,
    action: np.ndarray | int | None,
    gop: int = LIVE_GOP,
    **known: Any,
) -> Description:
    """The description of an episode from its first frame: uint8 [H, W] or [H, W, 3], its state [S] and its buttons.

    Args:
        known: what the frame does not show: name, game and fps; level, outcome, split, source, signature and corner
            where they are known.
    Raises:
        DataError: pictures or memory beyond the format's limits, or a `gop` that is not 1 to MAX_GOP.
    """
    height, width = frame.shape[:2]
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        name = known["name"]
        raise DataError(f"{name}: pictures of {width}x{height} are larger than the format's {MAX_PIXELS:,} pixels")
    beside = (0 if state is None else len(state)) + (0 if action is None else int(np.size(action)))
    if beside > MAX_ROW:
        raise DataError(
            f"{known['name']}: {beside:,} bytes of memory and actions a frame are more than the format's {MAX_ROW:,}: "
            "leave the memory out (--no-state)"
        )
    if not 1 <= gop <= MAX_GOP:
        raise DataError(f"a group of {gop} frames; expected 1 to {MAX_GOP}")
    per_frame = frame.nbytes + (0 if state is None else state.nbytes)
    return Description(
        height=height,
        width=width,
        channels=1 if frame.ndim == 2 else 3,
        palette="" if palette is None else palette.tobytes().hex(),
        state=0 if state is None else len(state),
        actions=0 if action is None else int(np.size(action)),
        profile=profile.name,
        tables=profile.tables_id,
        tables_sha256=profile.tables_sha256,
        gop=max(1, min(gop, _MAX_RAW // per_frame)),
        streams=("PICT",),  # known once the first group is encoded
        **known,
    )


@dataclass(frozen=True)
class _Group:
    """A group that is coded: the position of its first frame, their numbers, and what becomes its streams and hash."""

    first: int
    numbers: np.ndarray
    coded: Future[tuple[dict[str, bytes], bytes]]


class EpisodeEncoder:
    """Collects frames and gives chunks: the description with the first group, a chunk for each group, the rest.

    Args:
        profile: codes the groups. One that need not decode to the same bits everywhere gets no hashes of content.
        description: of the episode, from `description_of`; as the file holds it where a part of it is written already.
        number: of the episode in its file.
        first: frames that are written already; None = nothing at all, not even the description.
        threads: groups that are coded at the same time, where the profile allows it. The chunks are the same.
    """

    def __init__(
        self, profile: Profile, description: Description, number: int, first: int | None = None, threads: int = 1
    ) -> None:
        self.description = description
        self._profile, self._number, self._first = profile, number, first or 0
        self._begun = first is not None
        self._written = 0
        self._following = profile.session(description.level) if isinstance(profile, Following) else None
        if self._following is not None:  # what is written already is gone through again: the rest goes on from it
            self._first, self._written = 0, self._first
        self._exact = decodes_exactly(profile.name)
        self._waiting: list[tuple[np.ndarray, int, np.ndarray | None, int | None]] = []  # as they were added
        self._last = -1
        side_by_side = threads > 1 and getattr(profile, "side_by_side", False) and description.channels == 1
        self._pool = ThreadPoolExecutor(threads) if side_by_side else None
        self._coding: deque[_Group] = deque()
        self._ahead = threads

    @property
    def skipped(self) -> int:
        """Frames at the beginning that `add` is not to be called for, since they are written."""
        return self._first if self._following is None else 0

    @property
    def predicted(self) -> int:
        """Frames that cost next to nothing, since a machine at both ends makes them."""
        return 0 if self._following is None else self._following.predicted

    @property
    def remark(self) -> str:
        """What the profile has to say of the groups so far, "" = nothing."""
        return str(getattr(self._profile, "remark", ""))

    @property
    def frames(self) -> int:
        """Frames so far, those that wait for their group to be full included."""
        return self._first + len(self._waiting)

    def add(self, frame: np.ndarray, number: int, state: np.ndarray | None, action: int | None) -> bytes:
        """One more frame: uint8 [H, W] or [H, W, 3], its number (ascending), its state [S], its buttons.

        Returns:
            Chunks to be written now; b"" while the group is not full.
        Raises:
            DataError: it does not go with the frames before it.
        """
        self.check(frame, number, state, action)
        self._last = number
        self._waiting.append((frame, number, state, action))
        if len(self._waiting) < self.description.gop:
            return b""
        self._code()
        return self._coded(self._ahead if self._pool is not None else 0)

    def check(self, frame: np.ndarray, number: int, state: np.ndarray | None, action: int | None) -> None:
        """Raises DataError where `add` does."""
        description = self.description
        shape = description.frame_shape
        sizes = (0 if state is None else len(state), 0 if action is None else 1)
        if frame.shape != shape or sizes != (description.state, description.actions):
            raise DataError(
                f"{description.name}: frame {number} is {frame.shape} with {sizes[0]} bytes of state and {sizes[1]} of "
                f"buttons; the frames before it are {shape} with {description.state} and {description.actions}"
            )
        if not self._last < number < 1 << 31:
            raise DataError(f"{description.name}: frame number {number} after {self._last}; they must ascend")

    def flush(self) -> bytes:
        """End the group that is being collected, although it may not be full."""
        if self._waiting:
            self._code()
        return self._coded(0)

    def close(self) -> None:
        """Give up: what is not coded yet is not wanted any more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _code(self) -> None:
        """Have the collected frames coded."""
        frames, order, states, actions = zip(*self._waiting, strict=True)
        state = np.stack(states) if self.description.state else None
        action = np.array(actions, np.uint8) if self.description.actions else None
        gop = Gop(np.stack(frames), self.description.colours, state, action, self.description.corner)
        numbers = np.array(order, np.int32)
        self._waiting.clear()

        def code() -> tuple[dict[str, bytes], bytes]:
            follow = self._following
            streams = self._profile.encode(gop) if follow is None else follow.encode(gop, numbers)
            return streams, content_hash(gop, numbers) if self._exact else b""

        if self._pool is not None:
            coded = self._pool.submit(code)
        else:
            coded = Future()
            coded.set_result(code())
        self._coding.append(_Group(self._first, numbers, coded))
        self._first += len(numbers)

    def _coded(self, left: int) -> bytes:
        """The chunks of the groups that are coded, in order; `left`: so many may still be going on."""
        chunks = b""
        while self._coding and (len(self._coding) > left or self._coding[0].coded.done()):
            group = self._coding.popleft()
            streams, digest = group.coded.result()
            if not self._begun:
                self._begun = True
                there = streams if self._following is None else self._following.streams
                self.description = replace(self.description, streams=tuple(sorted(there)))
                chunks += self.description.pack(self._number)
            if group.first >= self._written:
                chunks += pack_gop(self.description, self._number, group.first, group.numbers, streams, digest)
        return chunks

    def finish(
        self,
        outcome: str | None = None,
        notes: Iterable[tuple[str, int]] = (),
        problems: Iterable[tuple[str, str, bool]] = (),
    ) -> bytes:
        """The last chunks. Raises DataError for an episode without frames."""
        rest = self.flush()
        self.close()
        if not self._first:
            raise DataError(f"{self.description.name}: an episode needs at least one frame")
        self.description = replace(
            self.description,
            frames=self._first,
            outcome=outcome or self.description.outcome,
            notes=tuple((k, v) for k, v in notes if v),
            problems=tuple(problems)[:1000],
        )
        return rest + self.description.pack(self._number)


def encode_episode(
    profile: Profile, episode: Episode, number: int, gop: int | None = None, threads: int = 1
) -> Iterable[bytes]:
    """The chunks of a whole episode, group by group; `gop` None: as many frames in each as `usual_gop` says.

    Raises DataError as `description_of` and `EpisodeEncoder` do."""
    if not len(episode):
        raise DataError(f"{episode.name}: an episode needs at least one frame")
    state, actions = episode.state, episode.actions
    known = {name: getattr(episode, name) for name in ("name", "game", "fps", "level", "outcome", "split", "source")}
    description = description_of(
        profile,
        frame=episode.frames[0],
        palette=episode.palette,
        state=None if state is None else state[0],
        action=None if actions is None else int(actions[0]),
        gop=usual_gop(profile.name) if gop is None else gop,
        **known,
    )
    encoder = EpisodeEncoder(profile, description, number, threads=threads)
    try:
        for t, n in enumerate(episode.frame_numbers.tolist()):
            chunks = encoder.add(
                episode.frames[t], n, None if state is None else state[t], None if actions is None else int(actions[t])
            )
            if chunks:
                yield chunks
        yield encoder.finish(notes=sorted(episode.notes.items()))
    finally:
        encoder.close()
