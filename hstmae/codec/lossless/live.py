"""The live profile: the lossless one with a packet for each frame, which is sent at once.

The packets of a group, one behind the other, are the group's only stream, "LIVE": what is recorded is what was sent. A
packet is what the range coder wrote of the frame (for true colour its length as uint32, then zlib of differences), and
two bytes of check that tell its place in the group, too. In the stream its length stands before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType

import numpy as np

from ...errors import CodecError
from ..container.gop import Gop, GopShape
from ..container.numbers import varint
from .coding_models import Parts
from .kernel import DECODE, ENCODE, Frames
from .profile import LosslessProfile

STREAM = "LIVE"
CHECK_BYTES = 2
_LENGTH = struct.Struct("<I")


class LiveProfile(LosslessProfile):
    """Args as of LosslessProfile."""

    name = "live"

    def encode(self, gop: Gop) -> dict[str, bytes]:
        """The stream "LIVE"."""
        with LiveEncoder(self, gop.shape) as encoder:
            for t, frame in enumerate(gop.frames):
                state, actions = (None if rows is None else rows[t] for rows in (gop.state, gop.actions))
                encoder.frame(frame, state, actions)
                self.step(1 / len(gop.frames))
            return {STREAM: encoder.stream()}

    def decode_first(self, streams: Mapping[str, bytes], shape: GopShape, count: int) -> Gop:
        if set(streams) != {STREAM}:
            raise CodecError(f"streams {sorted(streams)} instead of ['{STREAM}']")
        packets = list(packets_of(streams[STREAM]))
        if len(packets) != shape.frames:
            raise CodecError(f"damaged stream: {len(packets)} packets of {shape.frames} frames")
        size = (count, shape.height, shape.width, *((3,) if shape.channels == 3 else ()))
        frames = np.empty(size, np.uint8)
        with LiveDecoder(self, shape) as decoder:
            for t in range(count):
                frames[t] = decoder.frame(packets[t])[0]
            state, actions = decoder.state[:count].copy(), decoder.actions[:count].copy()
        return Gop(
            frames=frames,
            palette=None,
            state=state if shape.state else None,
            actions=(actions[:, 0] if shape.actions == 1 else actions) if shape.actions else None,
            corner=shape.corner,
        )


class _Live:
    """A group of at most `shape.frames` frames that is coded frame by frame. Context manager; to be closed."""

    def __init__(self, profile: LosslessProfile, shape: GopShape, mode: int) -> None:
        self.shape, self._profile, self._encoding = shape, profile, mode == ENCODE
        self.count = 0
        self.actions = np.zeros((shape.frames, shape.actions), np.uint8)
        self.state = np.zeros((shape.frames, shape.state), np.uint8)
        colour = (3,) if shape.channels == 3 else ()
        self._picture = np.zeros((shape.height, shape.width, *colour), np.uint8)
        self._last = self._picture.copy()
        self._scene = profile.live_scene(shape)
        self._context: np.ndarray | None = None  # of the last frame
        models = profile.models(self.state, self.actions)
        parts = Parts(self.actions, self.state, None if colour else self._picture, self._scene, *models)
        self._frames: Frames | None = profile.kernel.open(mode, parts)

    def _draw(self) -> None:
        """What the memory so far says of the picture that comes."""
        state = self.state[: self.count + 1]
        self._context = self._profile.draw_live(self._scene, state, self.shape, self._context)

    def _code(self, packet: bytes) -> bytes:
        if self._frames is None:
            raise CodecError("this group is closed, or was damaged: wait for the next one")
        if self.count == self.shape.frames:
            raise CodecError(f"this group has its {self.count} frames: the next one begins a group of its own")
        try:
            return self._frames.code(self.count, packet, self._draw)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._frames is not None:
            self._frames.close()
            self._frames = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class LiveEncoder(_Live):
    """Frames in, packets out.

    Args:
        profile: what codes; its tables.
        shape: of the group; `frames` is the most it may hold.
    """

    def __init__(self, profile: LosslessProfile, shape: GopShape) -> None:
        super().__init__(profile, shape, ENCODE)
        self._packets: list[bytes] = []

    def __enter__(self) -> LiveEncoder:
        return self

    def frame(
        self, picture: np.ndarray, state: np.ndarray | None = None, action: np.ndarray | int | None = None
    ) -> bytes:
        """The packet of the next frame.

        Args:
            picture: uint8 [H, W] palette indices, or [H, W, 3].
            state: uint8 [S]; action: its buttons, uint8 [A] or a number. None where the group has none.
        Raises:
            CodecError: the frame is not one of this group, or the group has all its frames.
        """
        shape = self.shape
        given = (picture.shape, 0 if state is None else np.size(state), 0 if action is None else np.size(action))
        wanted = (self._picture.shape, shape.state, shape.actions)
        if given != wanted or picture.dtype != np.uint8:
            raise CodecError(f"a frame of {given} and {picture.dtype} in a group of {wanted} and uint8")
        if self.count < shape.frames:
            self._picture[:] = picture
            for rows, row in ((self.state, state), (self.actions, action)):
                if row is not None:
                    rows[self.count] = row
        payload = self._code(b"")
        if shape.channels == 3:
            payload = _LENGTH.pack(len(payload)) + payload + zlib.compress(_differences(picture, self._last), 6)
            self._last[:] = picture
        packet = payload + check(payload, self.count)
        self.count += 1
        self._packets.append(packet)
        return packet

    def stream(self) -> bytes:
        """The group's stream: the packets so far."""
        return stream_of(self._packets)


class LiveDecoder(_Live):
    """Packets in, frames out; arguments as of LiveEncoder. `state` and `actions` hold what was decoded so far."""

    def __init__(self, profile: LosslessProfile, shape: GopShape) -> None:
        super().__init__(profile, shape, DECODE)

    def __enter__(self) -> LiveDecoder:
        return self

    def frame(self, packet: bytes) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Picture, state [S] and buttons [A] of the next frame; None where the group has none.

        Raises:
            CodecError: the packet is damaged or not the next one, or the group has all its frames. Nothing more can be
                decoded of this group then.
        """
        payload, stated = packet[:-CHECK_BYTES], packet[-CHECK_BYTES:]
        if len(packet) < CHECK_BYTES or stated != check(payload, self.count):
            self.close()
            raise CodecError(f"damaged packet: it is not frame {self.count} of its group as it was sent")
        colours = b""
        if self.shape.channels == 3:
            length = _LENGTH.unpack_from(payload)[0] if len(payload) >= _LENGTH.size else len(payload)
            end = _LENGTH.size + length
            payload, colours = payload[_LENGTH.size : end], payload[end:]
        self._code(payload)
        if self.shape.channels == 3:
            try:
                self._picture[:] = _restored(colours, self._last)
            except (zlib.error, CodecError) as error:
                self.close()
                raise CodecError(f"damaged packet: {error}") from None
            self._last[:] = self._picture
        t, self.count = self.count, self.count + 1
        state = self.state[t].copy() if self.shape.state else None
        return self._picture.copy(), state, self.actions[t].copy() if self.shape.actions else None


def stream_of(packets: Iterable[bytes]) -> bytes:
    """The stream of a group from its packets."""
    return b"".join(varint(len(packet)) + packet for packet in packets)


def packets_of(stream: bytes) -> Iterator[bytes]:
    """The packets of a group. Raises CodecError: a length reaches beyond the end."""
    at = 0
    while at < len(stream):
        length = shift = 0
        while True:
            if at == len(stream) or shift > 28:
                raise CodecError("damaged stream: a packet's length is cut off")
            byte = stream[at]
            length |= (byte & 127) << shift
            shift += 7
            at += 1
            if byte < 128:
                break
        if at + length > len(stream):
            raise CodecError("damaged stream: a packet is cut off")
        yield stream[at : at + length]
        at += length


def check(payload: bytes, place: int) -> bytes:
    """What stands behind a packet: that it is whole, and the one of this place in its group."""
    return struct.pack("<H", zlib.crc32(payload, place) & 0xFFFF)


def _differences(picture: np.ndarray, last: np.ndarray) -> bytes:
    return (picture - last).tobytes()


def _restored(packed: bytes, last: np.ndarray) -> np.ndarray:
    """The picture. Raises CodecError: not as many bytes as a picture has; zlib.error: no zlib stream."""
    unpack = zlib.decompressobj()
    raw = unpack.decompress(packed, last.size + 1)
    if len(raw) != last.size or not unpack.eof or unpack.unused_data:
        raise CodecError(f"{len(raw)} bytes of colours instead of {last.size}, or more behind them")
    return np.frombuffer(raw, np.uint8).reshape(last.shape) + last
