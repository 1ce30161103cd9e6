"""Watches a stream: its frames as they come, decoded, with their hashes compared."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np

from ..codec.container.description import Description
from ..codec.container.gop import Gop
from ..codec.container.group_chunks import content_hash
from ..codec.lossless.live import LiveProfile
from ..codec.session.live import LiveViewer
from ..codec.session.profiles import profile_of
from ..errors import CodecError, UsageError
from .messages import (
    GONE_AFTER,
    TICK,
    Beat,
    Begun,
    Coded,
    Described,
    Ended,
    Finished,
    Message,
    Missed,
    Place,
    Statistics,
    unpack,
)
from .publisher import address_of, connect, needed
from .video import PROFILE as VIDEO
from .video import VideoViewer

_TELL_EVERY = 0.25  # seconds between two words to the server how far this is
_FINAL = {4400, 4401}  # codes after which it is no use to try again


@dataclass(frozen=True)
class Shown:
    """A frame. Attributes: picture: as the codec gives it; description: of its session; captured: seconds since 1970 by
    the publisher's clock; epoch, group, place: where it is in the stream."""

    picture: np.ndarray
    number: int
    state: np.ndarray | None
    actions: np.ndarray | None
    description: Description
    captured: float
    epoch: int
    group: int
    place: int


class Decoding:
    """Messages in, frames out; knows no network.

    Attributes:
        groups: whose hash was compared.
        missed: frames that were left out since this was too slow, as the server says.
        statistics: the last ones; outcome: of a session that is over, else None; source: whether there is a publisher.
    """

    def __init__(self) -> None:
        self._viewer: LiveViewer | VideoViewer | None = None
        self._packets = hashlib.blake2b(digest_size=8)  # of a group of video
        self._description: Description | None = None
        self._epoch, self._head = 0, Begun(0, 0, 0)
        self._place = 0
        self._ended = False
        self._lost = True  # nothing can be decoded before the next group
        self._content: list[Shown] = []
        self.groups = self.missed = 0
        self.statistics: dict[str, float | str] = {}
        self.outcome: str | None = None
        self.source = True

    @property
    def place(self) -> Place:
        """How far this has come."""
        if self._ended:
            return Place(self._epoch, self._head.group + 1, 0)
        return Place(self._epoch, self._head.group, self._place)

    def take(self, message: Message) -> Shown | None:
        """The frame that a message brings. Raises CodecError where it was damaged, or is not here to be decoded."""
        if isinstance(message, Described):
            self._begin_session(message)
        elif isinstance(message, Begun):
            self._head, self._place, self._lost, self._ended = message, 0, False, False
            self._content.clear()
            self._packets = hashlib.blake2b(digest_size=8)
        elif isinstance(message, Coded):
            return self._decode(message)
        elif isinstance(message, Ended):
            self._compare(message)
        elif isinstance(message, Missed):
            self.missed += message.frames
        elif isinstance(message, Statistics):
            self.statistics = message.values
        elif isinstance(message, Finished):
            self.outcome = message.outcome
        elif isinstance(message, Beat):
            self.source = message.source
        return None

    def _begin_session(self, message: Described) -> None:
        self.close()
        description = message.description()
        if description.profile == VIDEO:
            self._viewer = VideoViewer(description)
        else:
            profile = profile_of(description)
            if not isinstance(profile, LiveProfile):
                raise CodecError(f"a stream of profile '{description.profile}' cannot be watched here")
            self._viewer = LiveViewer(profile, description)
        self._description = description
        self._epoch, self._lost, self.outcome = message.epoch, True, None
        self._head, self._place, self._ended = Begun(0, 0, 0), 0, False

    def _decode(self, message: Coded) -> Shown | None:
        if self._viewer is None or self._description is None:
            raise CodecError("a frame of a session that was not described")
        if self._lost or message.place < self._place:
            return None
        if message.place > self._place:
            self._lost = True
            return None
        try:
            picture, state, actions = self._viewer.frame(self._head.group, message.packet)
        except CodecError:
            self._lost = True
            raise
        self._place += 1
        captured = self._head.time / 1e6 + message.ticks * TICK
        shown = Shown(
            picture, self._head.first + message.place, state, actions, self._description, captured, self._epoch,
            self._head.group, message.place,
        )  # fmt: skip
        if isinstance(self._viewer, VideoViewer):
            self._packets.update(message.packet)
        else:
            self._content.append(shown)
        return shown

    def _compare(self, message: Ended) -> None:
        if self._lost or not self._place:
            return
        if self._digest() != message.digest:
            self._lost = True
            raise CodecError(f"group {self._head.group} has other content than was sent")
        self._ended = True
        self.groups += 1

    def _digest(self) -> bytes:
        if isinstance(self._viewer, VideoViewer):
            return self._packets.digest()
        frames, first = np.stack([shown.picture for shown in self._content]), self._content[0]
        state = None if first.state is None else np.stack([shown.state for shown in self._content])  # type: ignore[misc]
        actions = None
        if first.actions is not None:
            actions = np.stack([shown.actions for shown in self._content])  # type: ignore[misc]
        numbers = np.array([shown.number for shown in self._content], np.int32)
        return content_hash(Gop(frames, None, state, actions), numbers)

    def close(self) -> None:
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None


def watch(
    url: str, token: str = "", *, patience: float | None = None, told: Callable[[str], object] = lambda text: None,
    decoding: Decoding | None = None,
) -> Generator[Shown]:  # fmt: skip
    """The frames of a stream, while it goes on; connects again when the connection is lost.

    Args:
        url: of the stream, http://host:port/NAME.
        patience: seconds without any connection after which this ends; None = never.
        told: called with what happens to the connection.
        decoding: what decodes, and knows how it goes.
    Raises:
        UsageError: no such address, what connects is not installed, or the server does not let this one watch.
    """
    address = address_of(url, "live")
    needed()
    decoding = decoding or Decoding()
    said = ""

    def tell(text: str) -> None:
        nonlocal said
        if text != said:  # the same again and again tells nothing
            said = text
            told(text)

    last = time.monotonic()
    while patience is None or time.monotonic() - last < patience:
        place = decoding.place
        for shown in _connection(
            f"{address}?epoch={place.epoch}&group={place.group}&frames={place.frames}", token, decoding, tell
        ):
            last = time.monotonic()
            if shown is not None:
                said = ""
                yield shown
        time.sleep(0.2)


def _connection(address: str, token: str, decoding: Decoding, told: Callable[[str], object]) -> Iterator[Shown | None]:
    """What one connection brings; None for what is no frame."""
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

    try:
        with connect(address, token) as socket:
            said = time.monotonic()
            while True:
                try:
                    data = socket.recv(timeout=GONE_AFTER)
                except TimeoutError:
                    told("the server has fallen silent")
                    return
                try:
                    yield decoding.take(unpack(data if isinstance(data, bytes) else b""))
                except CodecError as error:
                    told(str(error))
                if time.monotonic() - said > _TELL_EVERY:
                    said = time.monotonic()
                    socket.send(decoding.place.pack())
    except ConnectionClosed as error:
        code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (0, "")
        if code in _FINAL:
            raise UsageError(f"the server refuses: {reason}") from None
        told(reason or "the connection was lost")
    except InvalidStatus as error:
        status = error.response.status_code
        if status < 500:
            raise UsageError(f"the server refuses: {status} (is a token needed?)") from None
        told(f"the server answers {status}")
    except TimeoutError:
        told("the server has fallen silent")
    except (OSError, EOFError, WebSocketException) as error:
        told(f"no connection: {error}")
