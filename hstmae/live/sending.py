"""Frames in, a stream out: coded once, sent, and kept in a `.hst` file where that is wanted."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..codec.container.chunks import GOP, parse_header, read_payload, split_chunks
from ..codec.container.description import Description
from ..codec.lossless.live import STREAM, LiveProfile
from ..codec.session.encoder import description_of
from ..codec.session.live import LiveSession
from ..codec.session.profiles import make_profile
from ..codec.session.writer import HstWriter
from ..errors import CodecError, DataError
from ..games import get_game
from ..signals import unbroken
from .colours import Colours
from .enlarged import Enlarged
from .messages import TICK, Begun, Coded, Described, Ended, Finished, Statistics
from .publisher import Publisher
from .video import VideoSession

GROUP = 64  # frames: about a second; one who joins or comes back is sent so many at most
_TELL_EVERY = 1.0  # seconds between statistics


@dataclass
class Told:
    """Attributes: of the stream so far: frames, bytes of packets, sessions, how often the source was late; encode:
    seconds of the last frames' coding."""

    frames: int = 0
    bytes: int = 0
    sessions: int = 0
    late: int = 0
    encode: deque[float] = field(default_factory=lambda: deque(maxlen=120))


class LiveStream:
    """A stream to a server, from any program that has frames. Context manager.

    ```python
    with LiveStream("http://127.0.0.1:8000/agent", game="generic", fps=60) as stream:
        stream.frame(env.render(), state=ram, action=action)
    ```

    Args:
        url: of the stream, http://host:port/NAME.
        game: whose memory `state` is; "generic" = unknown.
        fps: frames a second, as viewers see them; None = the game's.
        name: of the session.
        token: what the server wants to see.
        out: `.hst` file to keep the stream in, too.
        group: frames in a group.
        video: kbit a second of pictures in more than 256 colours, which are sent as video; 0 = without loss.
    Raises:
        UsageError: no such address, or `out` is there already.
    """

    def __init__(
        self, url: str, *, game: str = "generic", fps: float | None = None, name: str = "live", token: str = "",
        out: str | Path | None = None, group: int = GROUP, video: float = 0,
    ) -> None:  # fmt: skip
        self._video, self.lossless = video, True
        self.told = Told()
        self.besides: Callable[[], dict[str, float | str]] = dict  # further statistics
        self._game, self._group = get_game(game).name, group
        self._fps, self._name = fps or get_game(game).fps, name
        profile = make_profile("live", self._game)
        assert isinstance(profile, LiveProfile)
        self._profile = profile
        self._kept = contextlib.ExitStack()
        self._writer = None if out is None else self._kept.enter_context(HstWriter(out, live=True))
        self.publisher = Publisher(url, token)
        self._session: LiveSession | VideoSession | None = None
        self._colours: Colours | None = None
        self._enlarged = Enlarged()
        self._number, self._begun, self._named, self._told_at = 0, 0, 0, 0.0
        self._shape: tuple[Any, ...] = ()

    def __enter__(self) -> LiveStream:
        return self

    def frame(
        self, picture: np.ndarray, state: np.ndarray | None = None, action: int | None = None,
        palette: np.ndarray | None = None, number: int | None = None, captured: float | None = None,
    ) -> bytes:  # fmt: skip
        """Send a frame.

        Args:
            picture: uint8 [H, W] indices of `palette`, or [H, W, 3] RGB; what was enlarged by a whole number is sent
                in its own size.
            state: uint8 [S], memory; action: 0 to 255. None where there is none; the same for all frames.
            number: of the frame, above that of the one before; None = the next.
            captured: seconds since 1970; None = now.
        Returns:
            The packet.
        Raises:
            DataError: a picture of another kind, or memory of another size than those before it is a session of its
                own; DataError for what no stream can hold. CodecError: the server refuses the stream.
        """
        if self.publisher.failure:  # before anything is coded: what is kept as a file stays whole
            raise CodecError(self.publisher.failure)
        with unbroken():  # what is sent has to be what is kept, and what the group's hash is of
            return self._frame(picture, state, action, palette, number, captured)

    def _frame(
        self, picture: np.ndarray, state: np.ndarray | None, action: int | None, palette: np.ndarray | None,
        number: int | None, captured: float | None,
    ) -> bytes:  # fmt: skip
        captured = time.time() if captured is None else captured
        given = time.perf_counter()
        fits = picture.ndim == 2 if palette is not None else picture.ndim == 3 and picture.shape[2] == 3
        if picture.dtype != np.uint8 or not fits:
            raise DataError(f"a picture of {picture.dtype} {list(picture.shape)}: uint8 RGB, or indices and a palette")
        picture = self._enlarged.own(picture)
        if picture.ndim == 3:
            self._colours = self._colours or Colours()
            picture, palette = self._colours.of(picture)
        shape = (
            picture.shape,
            None if palette is None else palette.tobytes(),
            0 if state is None else len(state),
            action is None,
        )
        if self._session is not None and (shape != self._shape or (number is not None and number < self._number)):
            self.end_session("cut")
        if self._session is None:
            self._begin(picture, palette, state, action)
            self._shape = shape
        session = self._session
        assert session is not None
        if number is not None and number > self._number:
            self._complete(session.end_group())
            self._number = number

        def send(group: int, place: int, packet: bytes) -> None:
            if place == 0:
                self._begun = int(captured * 1e6)
                self.publisher.add(Begun(group, self._number, self._begun))
            ticks = max(int((captured - self._begun / 1e6) / TICK), 0)
            self.publisher.add(Coded(place, min(ticks, (1 << 32) - 1), packet))
            self.told.encode.append(time.perf_counter() - given)

        sent = session.frame(picture, self._number, state, action, send)
        self._number += 1
        self._complete(sent.chunks)
        self.told.frames += 1
        self.told.bytes += len(sent.packet)
        if captured - self._told_at > _TELL_EVERY:
            self._told_at = captured
            mean = sum(self.told.encode) / len(self.told.encode)
            known: dict[str, float | str] = {"encode_ms": round(1000 * mean, 2), "late": self.told.late}
            known |= {"enlarged": self._enlarged.times} if self._enlarged.times > 1 else {}
            self.publisher.add(Statistics({**known, **self.besides()}))
        return sent.packet

    def _begin(
        self, picture: np.ndarray, palette: np.ndarray | None, state: np.ndarray | None, action: int | None
    ) -> None:
        self._named += 1
        self._number = 0
        self.told.sessions += 1
        name = self._name if self._named == 1 else f"{self._name}-{self._named}"
        if palette is None and self._video:
            if self._writer is not None:
                raise DataError("more than 256 colours are sent as video, which no file keeps: send without loss, or "
                                "to no file (--lossless, or without --out)")  # fmt: skip
            self.lossless = False
            self._session = VideoSession(
                picture, state, action, gop=self._group, kbit=self._video, name=name, game=self._game, fps=self._fps,
                ended=lambda digest: self.publisher.add(Ended(digest)),
            )  # fmt: skip
            self._describe(self._session.description)
            return
        description = description_of(
            self._profile, frame=picture, palette=palette, state=state, action=action, gop=self._group, name=name,
            game=self._game, fps=self._fps,
        )  # fmt: skip
        description = replace(description, streams=(STREAM,))
        number = 0 if self._writer is None else self._writer.next_number
        self._session = LiveSession(self._profile, description, number)
        self._describe(description)

    def _describe(self, description: Description) -> None:
        self.publisher.add(Described(1 + secrets.randbelow((1 << 32) - 1), description.pack(0)))

    def _complete(self, chunks: bytes) -> None:
        """What becomes complete goes into the file; that a group is, to the viewers."""
        if not chunks:
            return
        if self._writer is not None:
            self._writer.append(chunks)
        for packed in split_chunks(chunks):
            header = parse_header(memoryview(packed), 0)
            if header is not None and header.kind == GOP:
                payload = read_payload(memoryview(packed), 0, header) or b""
                self.publisher.add(Ended(payload[:8]))  # where its hash stands

    def begin_session(self, game: str, fps: float, name: str) -> None:
        """The frames that come are of another session."""
        self.end_session()
        if get_game(game).name != self._game:
            self._game = get_game(game).name
            profile = make_profile("live", self._game)
            assert isinstance(profile, LiveProfile)
            self._profile = profile
        self._fps, self._name, self._colours = fps, name, None
        self._enlarged, self._named = Enlarged(), 0

    def end_session(self, outcome: str = "cut") -> None:
        """The session is over; the next frame begins another."""
        if self._session is None:
            return
        session, self._session = self._session, None
        self._complete(session.close(outcome))
        self.publisher.add(Finished(outcome))

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        try:
            self.end_session()  # whatever has happened: the frames so far are the user's
        finally:
            self.publisher.close()
            if self._writer is not None:
                self._kept.__exit__(None if self.told.frames else kind, *rest)
