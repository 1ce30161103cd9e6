"""A group of pictures: the frames that are coded together, and can be decoded without any others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from ...data.episode import Episode
from ...errors import CodecError


@dataclass(frozen=True)
class GopShape:
    """How much a group of pictures holds; known, and checked against limits, before its streams are decoded.

    `channels` is 1 for palette indices and 3 for true colour; `state` and `actions` are bytes per frame, 0 = none;
    `corner` is y and x of the pictures in the game's native one.
    """

    frames: int
    height: int
    width: int
    channels: int
    state: int
    actions: int
    corner: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Gop:
    """Frames of one session in order, with what belongs to them.

    Attributes:
        frames: uint8 [T, H, W] palette indices, or uint8 [T, H, W, 3] true colour.
        palette: uint8 [K, 3] RGB of the indices; None for true colour. Not coded by profiles.
        state: uint8 [T, S] the game's memory; None where the source has none.
        actions: uint8 [T] (or [T, A]) controller bytes; None where the source has none.
        corner: as in Episode.
    """

    frames: np.ndarray
    palette: np.ndarray | None
    state: np.ndarray | None
    actions: np.ndarray | None
    corner: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        f = self.frames
        if f.dtype != np.uint8 or not (f.ndim == 3 or (f.ndim == 4 and f.shape[3] == 3)) or 0 in f.shape:
            raise CodecError(f"frames must be uint8 [T, H, W] or [T, H, W, 3] and not empty, got {f.dtype} {f.shape}")
        for name, a, dims in (("state", self.state, (2,)), ("actions", self.actions, (1, 2))):
            if a is not None and (a.dtype != np.uint8 or a.ndim not in dims or len(a) != len(f)):
                raise CodecError(f"{name} must be uint8 with {len(f)} rows, got {a.dtype} {a.shape}")

    @staticmethod
    def of(episode: Episode) -> Gop:
        """The coded parts of (a stretch of) an episode."""
        return Gop(episode.frames, episode.palette, episode.state, episode.actions, episode.corner)

    @property
    def shape(self) -> GopShape:
        """Raises nothing: the arrays were checked when the group was made."""
        t, h, w = self.frames.shape[:3]
        return GopShape(
            frames=t,
            height=h,
            width=w,
            channels=self.frames.shape[3] if self.frames.ndim == 4 else 1,
            state=0 if self.state is None else self.state.shape[1],
            actions=0 if self.actions is None else self.actions.size // t,
            corner=self.corner,
        )


class Profile(Protocol):
    """A way of coding groups of pictures. No state crosses a group, so any can be decoded alone and in any thread.

    Attributes:
        name: what the container records.
        tables_id: name of the bundled tables or model that decoding needs.
        tables_sha256: their hash, 64 hexadecimal digits.
    """

    name: str
    tables_id: str
    tables_sha256: str

    def encode(self, gop: Gop) -> dict[str, bytes]:
        """Streams by name: "PICT", and "STAT" and "ACTN" where there is state and there are actions."""

    def decode(self, streams: Mapping[str, bytes], shape: GopShape) -> Gop:
        """The group again, with palette None. Raises CodecError for streams that make no sense."""


@runtime_checkable
class PartlyDecoding(Profile, Protocol):
    """A profile that need not decode a whole group to reach a frame in it."""

    def decode_first(self, streams: Mapping[str, bytes], shape: GopShape, count: int) -> Gop:
        """The first `count` frames of the group `shape`, with palette None. Raises CodecError likewise."""
