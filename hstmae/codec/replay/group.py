"""One group of frames as a replay stream: what is in it, and the frames that a console makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import CodecError
from ..container.gop import Gop, GopShape
from ..container.numbers import Reader, varint
from ..lossless.kernel import Backend
from .differences import pack_pictures, pack_rows, unpack_pictures, unpack_rows
from .keys import KeyCoder
from .marks import Marks, usual_steps
from .parts import pack_parts, unpack_parts
from .predictor import Predictor, Script

BLOCK = 128  # frames that are decoded, and checked, together
_CHECK = 4  # bytes
_SAME = np.arange(256, dtype=np.uint8)
_PATCHED, _CODED = b"\0", b"\1"  # first byte of the picture memory


@dataclass(frozen=True)
class Key:
    """What a group starts from.

    Attributes:
        script: input from power-on after which the console is at work.
        memory: uint8 [S] of the first frame.
        screen: as `Predictor.screen_of` gives it; None = as the script leaves it.
        rest: uint8 [N] differences of all else to what the script leaves; None = none.
    """

    script: Script
    memory: np.ndarray
    screen: tuple[np.ndarray, ...] | None = None
    rest: np.ndarray | None = None

    def state(self, console: Predictor) -> np.ndarray:
        """The console's state. Raises CodecError where the script cannot be run."""
        state = console.start(self.script)
        console.memory_of(state)[:] = self.memory
        if self.screen is not None:
            console.put_screen(state, self.screen)
        if self.rest is not None:
            state[console.rest_of(state)] += self.rest
        return state


@dataclass(frozen=True)
class Replay:
    """A group.

    Attributes:
        back: groups that have to be run before this one; 0 = it has a key.
        key: None where `back` is not 0.
        colours: uint8 [256], index for each of the console's colours; None = the same.
        marks: what the console has right.
        rows: uint8 [N, S], differences of the memory where it is wrong.
        pictures: uint8 [N, H, W], likewise.
        checks: hashes of blocks of frames, for groups of more than one.
    """

    back: int
    key: Key | None
    colours: np.ndarray | None
    marks: Marks
    rows: np.ndarray
    pictures: np.ndarray
    checks: bytes

    def pack(self, console: Predictor, coder: KeyCoder, kernel: Backend, buttons: np.ndarray) -> bytes:
        """`buttons`: uint8 [A] of the first frame."""
        parts = {"back": varint(self.back) if self.back else b"", "checks": self.checks, "marks": self.marks.pack()}
        if self.colours is not None:
            parts["colours"] = pack_rows(kernel, (self.colours - _SAME)[None])
        parts["rows"], parts["pictures"] = pack_rows(kernel, self.rows), pack_pictures(kernel, self.pictures)
        if self.key is not None:
            key = self.key
            parts["script"] = b"" if key.script == console.begin else key.script.pack()
            parts["memory"] = coder.pack_memory(key.memory, buttons)
            if key.screen is not None:
                parts["screen"] = self._packed_screen(console, coder, kernel, key)
            if key.rest is not None:
                parts["rest"] = pack_rows(kernel, key.rest[None])
        return pack_parts(parts)

    @staticmethod
    def _packed_screen(console: Predictor, coder: KeyCoder, kernel: Backend, key: Key) -> bytes:
        assert key.screen is not None
        there = console.screen_of(console.start(key.script))
        apart = np.concatenate([(a - b).reshape(-1) for a, b in zip(key.screen, there, strict=True)])
        few = _PATCHED + pack_rows(kernel, apart[None])
        return few if len(few) < 64 else min(few, _CODED + coder.pack_screen(key.screen, key.memory), key=len)

    @staticmethod
    def unpack(
        data: bytes, console: Predictor, coder: KeyCoder, kernel: Backend, shape: GopShape, numbers: np.ndarray,
        before: int | None, buttons: np.ndarray,
    ) -> Replay:  # fmt: skip
        """The inverse.

        Args:
            shape: of the group.
            numbers: int32 [T] the recorder's, and `before` that of the frame before; None where none is known.
            buttons: uint8 [T, A].
        Raises:
            CodecError: bytes that make no sense.
        """
        parts = unpack_parts(data)
        back = Reader(parts["back"]).varint() if parts["back"] else 0
        key = None if back else _key(parts, console, coder, kernel, buttons[0])
        marks = Marks.unpack(parts["marks"], usual_steps(numbers, before if back else None))
        rows = unpack_rows(kernel, parts["rows"], int((~marks.memory).sum()), shape.state)
        count = int((~marks.picture).sum())
        pictures = unpack_pictures(kernel, parts["pictures"], count, shape.height, shape.width)
        if len(parts["checks"]) != _CHECK * blocks_checked(shape.frames):
            raise CodecError("damaged stream: other checks than an encoder writes")
        colours = unpack_rows(kernel, parts["colours"], 1, 256)[0] + _SAME if parts["colours"] else None
        return Replay(back, key, colours, marks, rows, pictures, parts["checks"])


def _key(parts: dict[str, bytes], console: Predictor, coder: KeyCoder, kernel: Backend, buttons: np.ndarray) -> Key:
    script = Script.unpack(parts["script"]) if parts["script"] else console.begin
    memory = coder.unpack_memory(parts["memory"], console.memory, buttons)
    state = console.start(script)
    key = Key(script, memory)
    if parts["screen"]:
        there = console.screen_of(state)
        kind, rest = parts["screen"][:1], parts["screen"][1:]
        if kind == _CODED:
            key = replace(key, screen=coder.unpack_screen(rest, tuple(part.shape for part in there), memory))
        elif kind == _PATCHED:
            apart = unpack_rows(kernel, rest, 1, sum(part.size for part in there))[0]
            ends = np.cumsum([part.size for part in there])[:-1]
            pieces = zip(np.split(apart, ends), there, strict=True)
            key = replace(key, screen=tuple(part + piece.reshape(part.shape) for piece, part in pieces))
        else:
            raise CodecError("damaged stream: picture memory of no known form")
    if parts["rest"]:
        key = replace(key, rest=unpack_rows(kernel, parts["rest"], 1, len(console.rest_of(state)))[0])
    return key


def blocks_checked(frames: int) -> int:
    """How many hashes of blocks a group states: a group of one block is checked by its own."""
    return 0 if frames <= BLOCK else -(-frames // BLOCK)


def check_of(frames: np.ndarray, state: np.ndarray) -> bytes:
    """What a block is recognised by."""
    running = hashlib.blake2b(np.ascontiguousarray(frames).data, digest_size=_CHECK)
    running.update(np.ascontiguousarray(state).data)
    return running.digest()


def stated_check(checks: bytes, block: int) -> bytes:
    return checks[_CHECK * block : _CHECK * (block + 1)]


def seen(picture: np.ndarray, shape: GopShape, colours: np.ndarray | None) -> np.ndarray:
    """What a recording of such a shape shows of the console's picture, uint8 [H, W]."""
    y, x = shape.corner
    part = picture[y : y + shape.height, x : x + shape.width]
    return part if colours is None else colours[part]


def frames_of(
    console: Predictor, replay: Replay, shape: GopShape, buttons: np.ndarray, part: range, before: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(picture uint8 [H, W], memory uint8 [S], state of the console) of frames `part` of a group.

    Args:
        buttons: uint8 [T].
        before: state of the console at the frame before `part`, or at the first frame of a group with a key.
    """
    marks, last = replay.marks, shape.frames - 1
    row = int((~marks.memory[: part.start]).sum())
    wrong = int((~marks.picture[: part.start]).sum())
    console.load(before)
    if marks.steps[part.start] >= 0:
        console.leave(int(buttons[part.start]), int(marks.steps[part.start]))
    for t in part:
        state = console.save()
        if not marks.memory[t]:
            console.memory_of(state)[:] += replay.rows[row]
            console.load(state)
            row += 1
        then = (int(buttons[t + 1]), int(marks.steps[t + 1])) if t < last else (int(buttons[t]), 0)
        picture = seen(console.leave(*then), shape, replay.colours)
        if not marks.picture[t]:
            picture = picture + replay.pictures[wrong]
            wrong += 1
        yield picture, console.memory_of(state), state


def gop_of(frames: Sequence[np.ndarray], memory: Sequence[np.ndarray], buttons: np.ndarray, shape: GopShape) -> Gop:
    actions = buttons if shape.actions else None
    return Gop(np.stack(frames), None, np.stack(memory), actions, shape.corner)
