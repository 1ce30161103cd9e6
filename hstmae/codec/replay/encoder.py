"""Frames in, replay streams out: runs the console along with an episode and notes where it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..container.gop import Gop
from ..lossless.kernel import Backend
from .group import BLOCK, Key, Replay, blocks_checked, check_of, seen
from .keys import KeyCoder
from .marks import Marks, usual_steps
from .predictor import MAX_STEPS, Predictor, Script

_MORE_STEPS, _FAR = 3, 300  # console frames that are tried beyond what the numbers say, where little or much is wrong
_ELSEWHERE = 64  # bytes of memory that are wrong, where much is
_TRIES = [8, 2]  # likewise: how often in a group that is tried in vain
_PATIENCE = 8  # frames of a group that nothing helps, before that is given up
_MENDABLE = 0.7  # share of a picture's pixels that may be wrong
_SURE = 0.95  # share of a colour's pixels that are one index, where that stands for it
_MOST_WRONG = 8  # one frame in so many: then other ways to start are tried


@dataclass
class _Run:
    """What the console made of a group, and its state at the last frame."""

    marks: Marks
    rows: list[np.ndarray]
    pictures: list[np.ndarray]
    state: np.ndarray
    colours: np.ndarray | None = None
    pixels: int = 0  # wrong ones

    @property
    def wrong(self) -> int:
        return len(self.rows) + len(self.pictures)


class ReplayEncoder:
    """Codes the groups of one episode in order.

    Args:
        console: that both ends have.
        coder, kernel: of key data, and of what the console has wrong.
        starts: scripts after which the episode may begin, the likeliest first.
        spacing: a group gets key data where so many frames came since the last one that has.
    """

    def __init__(
        self, console: Predictor, coder: KeyCoder, kernel: Backend, starts: Sequence[Script], spacing: int
    ) -> None:
        self._console, self._coder, self._kernel = console, coder, kernel
        self._starts = [*starts, console.begin]
        self._spacing = spacing
        self._last: tuple[np.ndarray, int] | None = None  # state at the frame before, and its number
        self._screen: np.ndarray | None = None  # the same with all of the picture memory
        self._since = self._back = 0
        self._colours: np.ndarray | None = None
        self._hope = True  # that wrong pictures can be mended

    def fits(self, gop: Gop) -> bool:
        """Whether frames are such that the console can show them."""
        shape, (height, width) = gop.shape, self._console.size
        inside = gop.corner[0] + shape.height <= height and gop.corner[1] + shape.width <= width
        return inside and (shape.channels, shape.state, shape.actions) == (1, self._console.memory, 1)

    @property
    def state(self) -> np.ndarray:
        """Of the console at the last frame that was coded."""
        assert self._last is not None
        return self._last[0]

    def forget(self) -> None:
        """The frames of a group were coded in another way: nothing goes on from them."""
        self._last = self._screen = None
        self._since = self._back = 0

    def encode(self, gop: Gop, numbers: np.ndarray) -> tuple[bytes, int]:
        """The stream of a group, and in how many ways its frames are other than the console has it.

        Args:
            numbers: int32 [T] of the recorder.
        """
        assert gop.state is not None and gop.actions is not None
        goes_on = self._last is not None and self._since + len(numbers) <= self._spacing
        if goes_on:
            assert self._last is not None
            key, (before, number) = None, self._last
            run = self._coloured(gop, usual_steps(numbers, number), before)
            self._back += 1
        else:
            key, run = self._with_key(gop, numbers)
            self._since = self._back = 0
        self._since += len(numbers)
        self._last, self._screen = (run.state, int(numbers[-1])), run.state
        replay = Replay(
            self._back, key, run.colours, run.marks, _stack(run.rows, gop.state[:0]),
            _stack(run.pictures, gop.frames[:0]), _checks(gop),
        )  # fmt: skip
        buttons = gop.actions.reshape(len(numbers), -1)
        return replay.pack(self._console, self._coder, self._kernel, buttons[0]), run.wrong

    def _with_key(self, gop: Gop, numbers: np.ndarray) -> tuple[Key, _Run]:
        """The best key among those that come into question, and the run that begins there."""
        usual = usual_steps(numbers, None)
        best: tuple[Key, _Run] | None = None
        for key in self._keys(gop, numbers):
            run = self._coloured(gop, usual, key.state(self._console))
            if best is None or run.wrong < best[1].wrong:
                best = key, run
            if run.wrong * _MOST_WRONG <= len(usual):
                break
        assert best is not None
        key, run = best
        if run.pictures and self._hope and (mended := self._mended(key, gop, run.marks)) is not None:
            again = self._coloured(gop, usual, mended.state(self._console))
            if again.wrong < run.wrong:
                best = mended, again
        self._hope = len(best[1].pictures) * _MOST_WRONG <= len(usual)
        return best

    def _mended(self, key: Key, gop: Gop, marks: Marks) -> Key | None:
        """A key whose picture memory is as the pictures have it, found by running along; None where it stays as it is.
        What is seen late was there from the beginning where the console has not changed it since.

        Args:
            marks: of the group as the key is.
        """
        assert gop.state is not None and gop.actions is not None
        console, buttons = self._console, gop.actions.reshape(-1).tolist()
        state, mended, patience = key.state(console), False, _PATIENCE
        first = [part.copy() for part in console.screen_of(state)]
        for t in range(int(np.flatnonzero(~marks.picture)[-1]) + 1):
            if t:
                console.load(state)
                console.leave(buttons[t], int(marks.steps[t]))
                state = console.save()
                console.memory_of(state)[:] = gop.state[t]
            if marks.picture[t]:
                continue
            wrong = self._wrong(state, gop, t, buttons[t])
            mendable = 0 < wrong <= _MENDABLE * gop.frames[t].size
            better = console.mend(state, self._wanted(gop, t)) if mendable else None
            if better is None or self._wrong(better, gop, t, buttons[t]) >= wrong:
                patience -= wrong > 0
                if not patience:
                    break
                continue
            before, after = console.screen_of(state), console.screen_of(better)
            for part, old, new in zip(first, before, after, strict=True):
                part[(part == old) & (old != new)] = new[(part == old) & (old != new)]
            state, mended = better, True
        return replace(key, screen=tuple(first)) if mended else None

    def _wrong(self, state: np.ndarray, gop: Gop, t: int, buttons: int) -> int:
        """Pixels of a frame that the console draws otherwise."""
        self._console.load(state)
        drawn = seen(self._console.leave(buttons, 0), gop.shape, self._colours)
        return int((drawn != gop.frames[t]).sum())

    def _wanted(self, gop: Gop, t: int) -> np.ndarray:
        """The console's picture as a frame has it, int16 [H, W], -1 where that tells nothing."""
        wanted = np.full(self._console.size, -1, np.int16)
        y, x = gop.corner
        height, width = gop.frames.shape[1:]
        back = np.arange(256, dtype=np.int16)
        if self._colours is not None:
            other = np.flatnonzero(self._colours != back)
            back[other] = -1
            back[self._colours[other]] = other
        wanted[y : y + height, x : x + width] = back[gop.frames[t]]
        return wanted

    def _keys(self, gop: Gop, numbers: np.ndarray) -> list[Key]:
        assert gop.state is not None and gop.actions is not None
        console, memory = self._console, gop.state[0]
        if self._last is None or self._screen is None:
            return [Key(script, memory) for script in self._starts]
        step = int(usual_steps(numbers[:1], self._last[1])[0])
        console.load(self._screen)
        console.leave(int(gop.actions.reshape(-1)[0]), step)
        state = console.save()
        screen, there = console.screen_of(state), console.start(console.begin)
        rest = console.rest_of(state)
        plain = Key(console.begin, memory, screen)
        return [plain, replace(plain, rest=state[rest] - there[rest])]

    def _coloured(self, gop: Gop, usual: np.ndarray, before: np.ndarray) -> _Run:
        """`_run`, with the colours as the recording has them."""
        run, seen_as = self._run(gop, usual, before, self._colours)
        if len(run.pictures) * _MOST_WRONG > len(usual):
            other = _other_colours(seen_as)
            if not _same(other, self._colours):
                again, _ = self._run(gop, usual, before, other)
                if 4 * again.pixels < run.pixels:
                    run, self._colours = again, other
        run.colours = self._colours
        return run

    def _run(
        self, gop: Gop, usual: np.ndarray, before: np.ndarray, colours: np.ndarray | None
    ) -> tuple[_Run, np.ndarray]:
        """Run the console along. Also int64 [256, 256], how often each of its colours was which index, where wrong."""
        assert gop.state is not None and gop.actions is not None
        console, shape, buttons = self._console, gop.shape, gop.actions.reshape(-1).tolist()
        marks, last = Marks.blank(usual), shape.frames - 1
        run, seen_as, tries = _Run(marks, [], [], before), np.zeros((256, 256), np.int64), _TRIES.copy()
        console.load(before)
        for t in range(shape.frames):
            if t == 0 and usual[0] >= 0:
                console.leave(buttons[0], int(usual[0]))
            if usual[t] >= 0:
                steps = self._stepped(run.state, gop.state[t], buttons[t], int(usual[t]), tries)
                marks.steps[t] = usual[t] if steps is None else steps
            state = console.save()
            memory = console.memory_of(state)
            if not np.array_equal(memory, gop.state[t]):
                marks.memory[t] = False
                run.rows.append(gop.state[t] - memory)
                memory[:] = gop.state[t]
                console.load(state)
            run.state = state
            drawn = console.leave(*(buttons[t + 1], int(usual[t + 1])) if t < last else (buttons[t], 0))
            picture = seen(drawn, shape, colours)
            if not np.array_equal(picture, gop.frames[t]):
                marks.picture[t] = False
                run.pictures.append(gop.frames[t] - picture)
                run.pixels += int(np.count_nonzero(run.pictures[-1]))
                pairs = seen(drawn, shape, None).astype(np.intp) * 256 + gop.frames[t]
                seen_as += np.bincount(pairs.reshape(-1), minlength=1 << 16).reshape(256, 256)
        return run, seen_as

    def _stepped(
        self, before: np.ndarray, memory: np.ndarray, buttons: int, usual: int, tries: list[int]
    ) -> int | None:
        """How many frames the console has to run from the state before to this memory; it is left there. None: no
        number does, or it is not looked for. `usual`: how many it has run; `tries`: near and far ones that are left."""
        console = self._console
        there = console.save()
        apart = int(np.count_nonzero(console.memory_of(there) != memory))
        if not apart:
            return usual
        far = apart >= _ELSEWHERE  # it may have loaded another map meanwhile, which takes long
        if not tries[far]:
            return None
        if np.array_equal(console.memory_of(before), memory):
            console.load(before)
            return 0
        console.load(before)
        for steps in range(1, min(_FAR if far else usual + _MORE_STEPS, MAX_STEPS) + 1):
            console.leave(buttons, 1)
            if np.array_equal(console.memory_of(console.save()), memory):
                return steps
        console.load(there)
        tries[far] -= 1
        return None


def _other_colours(seen_as: np.ndarray) -> np.ndarray | None:
    """uint8 [256], which index each colour of the console is, from how often it was which; None: each is itself, or
    that would explain little."""
    colours = np.arange(256, dtype=np.uint8)
    often = seen_as.max(1)
    sure = (often > 0) & (often >= _SURE * seen_as.sum(1))
    colours[sure] = seen_as.argmax(1)[sure]
    return None if (colours == np.arange(256)).all() else colours


def _same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))


def _stack(found: list[np.ndarray], none: np.ndarray) -> np.ndarray:
    return np.stack(found) if found else none


def _checks(gop: Gop) -> bytes:
    assert gop.state is not None
    parts = [slice(k * BLOCK, (k + 1) * BLOCK) for k in range(blocks_checked(len(gop.frames)))]
    return b"".join(check_of(gop.frames[part], gop.state[part]) for part in parts)
