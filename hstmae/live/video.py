"""True colour as video: one packet a frame, none waits for another; memory and buttons beside it without loss."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ..codec.container.description import MAX_PIXELS, MAX_SIDE, MAX_STATE, Description
from ..codec.lossless.live import CHECK_BYTES, check
from ..codec.session.live import Sent
from ..errors import CodecError, DataError, UsageError
from ..film.layout import reformatted
from ..film.x264 import steady

PROFILE = "h264"
_SIDE = struct.Struct("<I")
_OPTIONS = {"preset": "superfast", "tune": "zerolatency", "forced-idr": "1", "x264-params": "repeat-headers=1:annexb=1"}
_FORMAT, _MATRIX = "yuv420p", "ITU709"


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise UsageError('video needs the extra "video": pip install "hstmae[video]"; or send without loss') from None
    return av


class VideoSession:
    """Frames of an episode, one by one, as `LiveSession` takes them; nothing of it goes into a file.

    Args:
        frame: the first one, uint8 [H, W, 3]; state: its memory, or None; action: likewise.
        gop: frames in a group; the first of each can be decoded alone.
        kbit: a second.
        ended: is given the hash of each group that is complete: of its packets, since pictures are not the same bits
            everywhere.
        name, game, fps: of the episode.
    Raises:
        DataError: pictures beyond the format's limits, or x264's. UsageError: PyAV or x264 is missing.
    """

    def __init__(
        self, frame: np.ndarray, state: np.ndarray | None, action: int | None, *, gop: int, kbit: float,
        ended: Callable[[bytes], object], name: str, game: str, fps: float,
    ) -> None:  # fmt: skip
        height, width = frame.shape[:2]
        if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
            raise DataError(f"{name}: pictures of {width}x{height} are larger than the format's {MAX_PIXELS:,} pixels")
        av = _av()
        if "libx264" not in av.codecs_available:
            raise UsageError("this FFmpeg has no x264 for video: send without loss (--lossless)")
        self._coder = coder = av.CodecContext.create("libx264", "w")
        coder.width, coder.height, coder.pix_fmt = width + width % 2, height + height % 2, _FORMAT
        rate = Fraction(fps).limit_denominator(1001)
        coder.framerate, coder.time_base = rate, 1 / rate
        coder.bit_rate = int(kbit * 1000)
        coder.gop_size, coder.thread_count = 4 * gop, 1  # groups begin where this says
        coder.options = steady(_OPTIONS | {"maxrate": str(int(kbit * 1000)), "bufsize": str(int(kbit * 500))})
        self._av, self._gop, self._ended = av, gop, ended
        self._group = self._place = self._count = 0
        self._hash = hashlib.blake2b(digest_size=8)
        self._last = np.zeros(0 if state is None else len(state), np.uint8)
        self._known = {"name": name, "game": game, "fps": fps, "height": height, "width": width}
        self._known |= {"state": len(self._last), "actions": int(action is not None), "gop": gop}
        try:
            first = self._coded(frame, True)
        except (av.error.FFmpegError, ValueError) as error:
            raise DataError(f"{name}: pictures of {width}x{height} cannot be sent as video ({error})") from None
        self._ready: bytes | None = first
        self.description = Description(
            **self._known, channels=3, palette="", profile=PROFILE, tables=_name_of(first), tables_sha256="",
            streams=("LIVE",),
        )  # fmt: skip

    def _coded(self, picture: np.ndarray, key: bool) -> bytes:
        height, width = picture.shape[:2]
        if height % 2 or width % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        plain = self._av.VideoFrame.from_ndarray(picture, format="rgb24")
        given = reformatted(plain, _FORMAT, dst_colorspace=_MATRIX)
        given.pts = self._count
        given.pict_type = self._av.video.frame.PictureType.I if key else self._av.video.frame.PictureType.NONE
        self._count += 1
        return b"".join(bytes(packet) for packet in self._coder.encode(given))

    def frame(
        self, picture: np.ndarray, number: int, state: np.ndarray | None = None, action: int | None = None,
        send: Callable[[int, int, bytes], object] = lambda group, place, packet: None,
    ) -> Sent:  # fmt: skip
        """As `LiveSession.frame`; the first one is the one that the session was made with."""
        if self._ready is not None:
            coded, self._ready = self._ready, None
        else:
            coded = self._coded(picture, self._place == 0)
        side = b""
        if len(self._last) or self._known["actions"]:
            now = self._last if state is None else state
            if self._place == 0:
                self._last = np.zeros_like(self._last)
            side = zlib.compress((now - self._last).tobytes() + bytes([action or 0] * self._known["actions"]), 1)
            self._last = now.copy()
        packet = _SIDE.pack(len(side)) + side + coded
        packet += check(packet, self._place)
        group, place = self._group, self._place
        send(group, place, packet)
        self._hash.update(packet)
        self._place += 1
        if self._place == self._gop:
            self.end_group()
        return Sent(group, place, packet, b"")

    def end_group(self) -> bytes:
        if self._place:
            self._ended(self._hash.digest())
            self._group, self._place, self._hash = self._group + 1, 0, hashlib.blake2b(digest_size=8)
        return b""

    def close(self, outcome: str | None = None) -> bytes:
        return self.end_group()


class VideoViewer:
    """Decodes the packets of an episode, as `LiveViewer` does."""

    def __init__(self, description: Description) -> None:
        self._description, self._av = description, _av()
        self._group, self._place = -1, 0
        self._decoder: Any = None
        self._last = np.zeros(description.state, np.uint8)

    def frame(self, group: int, packet: bytes) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Raises CodecError: the packet is damaged, or one before it is missing: the next group goes on."""
        d = self._description
        if group != self._group or self._decoder is None:
            self._group, self._place, self._last = group, 0, np.zeros(d.state, np.uint8)
            self._decoder = self._av.CodecContext.create("h264", "r")
            self._decoder.thread_count = 1
            self._decoder.flags |= self._av.codec.context.Flags.low_delay
        payload, stated = packet[:-CHECK_BYTES], packet[-CHECK_BYTES:]
        if len(packet) < CHECK_BYTES or stated != check(payload, self._place):
            raise CodecError(f"damaged packet: it is not frame {self._place} of its group as it was sent")
        coded, state, actions = self._side(payload)
        self._place += 1
        try:
            found = self._decoder.decode(self._av.Packet(coded))
            shown = [reformatted(f, "rgb24", src_colorspace=_MATRIX).to_ndarray() for f in found]
        except (self._av.error.FFmpegError, ValueError) as error:
            raise CodecError(f"damaged video ({error})") from None
        if len(shown) != 1 or shown[0].shape[0] < d.height or shown[0].shape[1] < d.width:
            raise CodecError("a packet that is not one picture of this session")
        return np.ascontiguousarray(shown[0][: d.height, : d.width]), state, actions

    def _side(self, packet: bytes) -> tuple[bytes, np.ndarray | None, np.ndarray | None]:
        d = self._description
        if len(packet) < _SIDE.size or d.state > MAX_STATE:
            raise CodecError("a packet that is cut off")
        end = _SIDE.size + _SIDE.unpack_from(packet)[0]
        if end > len(packet):
            raise CodecError("a packet that is cut off")
        if not d.state and not d.actions:
            return packet[end:], None, None
        try:
            raw = zlib.decompressobj().decompress(packet[_SIDE.size : end], d.state + d.actions + 1)
        except zlib.error as error:
            raise CodecError(f"damaged memory ({error})") from None
        if len(raw) != d.state + d.actions:
            raise CodecError(f"{len(raw)} bytes of memory and buttons instead of {d.state + d.actions}")
        rows = np.frombuffer(raw, np.uint8)
        self._last = self._last + rows[: d.state]
        return packet[end:], self._last if d.state else None, rows[d.state :] if d.actions else None

    def close(self) -> None:
        self._decoder = None


def _name_of(coded: bytes) -> str:
    """What browsers call the stream: "avc1." and three bytes of the first parameter set."""
    at = coded.find(b"\x00\x00\x01\x67")
    if at < 0 or at + 7 > len(coded):
        raise CodecError("the encoder gave no parameters: is its x264 of another kind?")
    return "avc1." + coded[at + 4 : at + 7].hex().upper()
