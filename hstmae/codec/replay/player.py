"""Frames of a replayed episode, in any order: the console's states are kept along the way, so that it is soon there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from ...errors import CodecError
from ..container.description import REPLAY_STREAM, Description
from ..container.gop import Gop
from ..container.group_chunks import GopParts, content_hash
from .group import BLOCK, Replay, blocks_checked, check_of, frames_of, gop_of, stated_check
from .profile import ReplayProfile

_KEPT_GROUPS, _KEPT_STATES = 4, 4096


class ReplayPlayer:
    """One episode. Not thread-safe.

    Args:
        profile: of the episode.
        parts: gives group `k`, not decoded; raises CodecError where it is damaged.
        follows: whether group `k` begins where group `k` - 1 ends.
        cache: bytes of frames that are kept.
    """

    def __init__(
        self, profile: ReplayProfile, description: Description, parts: Callable[[int], GopParts],
        follows: Callable[[int], bool], cache: int,
    ) -> None:  # fmt: skip
        self._profile, self._description, self._parts, self._follows = profile, description, parts, follows
        self._groups: OrderedDict[int, tuple[Replay, GopParts, np.ndarray]] = OrderedDict()
        self._states: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()  # at the frame before a block
        self._blocks: OrderedDict[tuple[int, int], Gop] = OrderedDict()
        self._limit, self._kept = cache, 0

    def runs(self, k: int) -> bool:
        """Whether the console is needed for group `k`. Raises CodecError where the group is damaged."""
        return k in self._groups or REPLAY_STREAM in self._parts(k).streams

    def group(self, k: int) -> Gop:
        """All of group `k`. Raises CodecError where it cannot be made, or its frames are other than it states."""
        _, parts, _ = self._group(k)
        blocks = [self._block(k, b) for b in range(self._blocks_of(k))]
        gop = blocks[0] if len(blocks) == 1 else _joined(blocks)
        if parts.digest and content_hash(gop, parts.numbers) != parts.digest:
            raise CodecError(_other(0, len(parts.numbers)))
        return gop

    def rows(self, k: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """(frames uint8 [N, H, W], numbers [N], state [N, S], buttons [N]) of places `at` in group `k`.

        Raises:
            CodecError: as `group`.
        """
        frames, states = [], []
        _, parts, buttons = self._group(k)
        for place in at.tolist():
            gop = self._block(k, place // BLOCK)
            assert gop.state is not None
            frames.append(gop.frames[place % BLOCK])
            states.append(gop.state[place % BLOCK])
        return np.stack(frames), parts.numbers[at], np.stack(states), buttons[at]

    def _group(self, k: int) -> tuple[Replay, GopParts, np.ndarray]:
        if k not in self._groups:
            parts, profile = self._parts(k), self._profile
            console = profile.console()
            count = len(parts.numbers)
            buttons = profile.coder.unpack_buttons(parts.streams.get("ACTN", b""), count)
            before = int(self._parts(k - 1).numbers[-1]) if k and self._follows(k) else None
            shape = self._description.shape(count)
            with console.lock:
                replay = Replay.unpack(
                    parts.streams[REPLAY_STREAM], console, profile.coder, profile.kernel, shape, parts.numbers, before,
                    buttons[:, None],
                )  # fmt: skip
            if replay.back and before is None:
                raise CodecError(_lost(parts))
            self._groups[k] = replay, parts, buttons
            while len(self._groups) > _KEPT_GROUPS:
                self._groups.popitem(last=False)
        self._groups.move_to_end(k)
        return self._groups[k]

    def _block(self, k: int, b: int) -> Gop:
        if (k, b) in self._blocks:
            self._blocks.move_to_end((k, b))
            return self._blocks[k, b]
        for group, block in self._way(k, b):
            made = self._run(group, block)
        self._keep((k, b), made)
        return made

    def _way(self, k: int, b: int) -> list[tuple[int, int]]:
        """The blocks that have to be run, from the last known state on. Raises CodecError where one is lost."""
        way = [(k, b)]
        while self._from(*way[0]) not in self._states:
            k, b = way[0]
            if b:
                way.insert(0, (k, b - 1))
                continue
            replay, parts, _ = self._group(k)
            if replay.key is not None:
                with self._profile.console().lock:
                    self._remember((k, 0), replay.key.state(self._profile.console()))
                break
            if not self.runs(k - 1):
                raise CodecError(_lost(parts))
            way.insert(0, (k - 1, self._blocks_of(k - 1) - 1))
        return way

    def _from(self, k: int, b: int) -> tuple[int, int]:
        """Name of the state that a block begins with: that behind the block before, or of the group's key."""
        return (k - 1, self._blocks_of(k - 1)) if not b and self._group(k)[0].back else (k, b)

    def _blocks_of(self, k: int) -> int:
        return -(-len(self._group(k)[1].numbers) // BLOCK)

    def _run(self, k: int, b: int) -> Gop:
        """Run a block from its known state on, check it, and remember the state behind it."""
        replay, parts, buttons = self._group(k)
        count = len(parts.numbers)
        part, shape = range(b * BLOCK, min((b + 1) * BLOCK, count)), self._description.shape(count)
        console, before = self._profile.console(), self._states[self._from(k, b)]
        with console.lock:
            frames, memory, states = zip(*frames_of(console, replay, shape, buttons, part, before), strict=True)
        gop = gop_of(frames, memory, buttons[part.start : part.stop], self._description.shape(len(part)))
        assert gop.state is not None
        if blocks_checked(count):
            right = check_of(gop.frames, gop.state) == stated_check(replay.checks, b)
        else:
            right = not parts.digest or content_hash(gop, parts.numbers) == parts.digest
        if not right:
            raise CodecError(_other(part.start, part.stop))
        self._remember((k, b + 1), states[-1])
        return gop

    def _remember(self, at: tuple[int, int], state: np.ndarray) -> None:
        self._states[at] = state
        while len(self._states) > _KEPT_STATES:
            self._states.popitem(last=False)

    def _keep(self, at: tuple[int, int], gop: Gop) -> None:
        self._blocks[at] = gop
        self._kept += gop.frames.nbytes
        while self._kept > self._limit and len(self._blocks) > 1:
            self._kept -= self._blocks.popitem(last=False)[1].frames.nbytes


def _joined(blocks: list[Gop]) -> Gop:
    def join(name: str) -> np.ndarray:
        return np.concatenate([getattr(gop, name) for gop in blocks])

    return Gop(join("frames"), None, join("state"), join("actions"), blocks[0].corner)


def _lost(parts: GopParts) -> str:
    return f"frames from number {parts.numbers[0]} on go on from a group that is lost or damaged"


def _other(first: int, stop: int) -> str:
    return (
        f"places {first} to {stop - 1} of a group come out as other frames than were recorded: the emulator here does "
        "something else than the one it was coded with, although its version is the same"
    )
