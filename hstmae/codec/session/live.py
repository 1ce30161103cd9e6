"""A session that is sent while it happens: packets for those who watch, and the same as groups of a .hst file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..container.description import Description
from ..container.gop import Gop
from ..lossless.live import STREAM, LiveDecoder, LiveEncoder, LiveProfile
from .encoder import EpisodeEncoder


@dataclass(frozen=True)
class Sent:
    """What one frame gives.

    Attributes:
        group, place: position of the group in the episode, and of the frame in the group.
        packet: for those who watch. They need the description and the packets of the group before it.
        chunks: for the file; b"" but where a group or its description is complete.
    """

    group: int
    place: int
    packet: bytes
    chunks: bytes


class LiveSession:
    """Frames of an episode, one by one. The file that `chunks` give holds the very packets.

    Args:
        profile: codes.
        description: of the episode, from `description_of` with this profile.
        number: of the episode in its file.
    """

    def __init__(self, profile: LiveProfile, description: Description, number: int = 0) -> None:
        self._profile, self._shape = profile, description.shape(description.gop)
        self._group = 0
        self._coder: LiveEncoder | None = None
        self._episode = EpisodeEncoder(_Sending(profile, self), description, number)

    @property
    def description(self) -> Description:
        """Of the episode so far."""
        return self._episode.description

    def frame(
        self, picture: np.ndarray, number: int, state: np.ndarray | None = None, action: int | None = None,
        send: Callable[[int, int, bytes], object] = lambda group, place, packet: None,
    ) -> Sent:  # fmt: skip
        """Code a frame.

        Args:
            send: called with group, place and packet as soon as that is there, before a group that is complete becomes
                a chunk. Others, and errors, as of EpisodeEncoder.add; CodecError as of LiveEncoder.frame.
        """
        self._episode.check(picture, number, state, action)
        if self._coder is None:
            self._coder = LiveEncoder(self._profile, self._shape)
        group, place = self._group, self._coder.count
        packet = self._coder.frame(picture, state, action)
        send(group, place, packet)
        return Sent(group, place, packet, self._episode.add(picture, number, state, action))

    def end_group(self) -> bytes:
        """The chunks of the group so far: the next frame can be decoded without those before it, as one needs who has
        lost a packet."""
        return self._episode.flush()

    def close(self, outcome: str | None = None) -> bytes:
        """The last chunks. Raises DataError for an episode without frames."""
        return self._episode.finish(outcome)

    def take_stream(self) -> bytes:
        """The stream of the group that ends."""
        assert self._coder is not None
        stream = self._coder.stream()
        self._coder.close()
        self._coder = None
        self._group += 1
        return stream


class _Sending(LiveProfile):
    """The profile of a session whose frames were coded when they came."""

    def __init__(self, profile: LiveProfile, session: LiveSession) -> None:
        self.__dict__.update(profile.__dict__)
        self._session = session

    def encode(self, gop: Gop) -> dict[str, bytes]:
        return {STREAM: self._session.take_stream()}


class LiveViewer:
    """Decodes the packets of an episode.

    Args:
        profile: as the description says, from `profile_of`.
        description: of the episode.
    """

    def __init__(self, profile: LiveProfile, description: Description) -> None:
        self._profile, self._shape = profile, description.shape(description.gop)
        self._group = -1
        self._coder: LiveDecoder | None = None

    def frame(self, group: int, packet: bytes) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Picture, state and buttons of the next frame of a group; the first packet of a group begins a new one.

        Raises:
            CodecError: the packet is damaged, or one before it is missing: the next group goes on.
        """
        if group != self._group or self._coder is None:
            self.close()
            self._coder, self._group = LiveDecoder(self._profile, self._shape), group
        return self._coder.frame(packet)

    def close(self) -> None:
        if self._coder is not None:
            self._coder.close()
            self._coder = None
