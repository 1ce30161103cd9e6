"""Pictures of the neural profile that the network does not draw well enough: the lossless coder's, exact."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...errors import CodecError
from ..container.gop import GopShape
from ..lossless.kernel import DECODE, ENCODE
from ..lossless.profile import LosslessProfile

_HASH_BYTES = 8  # of the tables' hash, before the stream: with other tables it would be read wrongly


def encode_exact(game: str, frames: np.ndarray, state: np.ndarray | None, corner: tuple[int, int]) -> bytes:
    """uint8 [T, H, W] palette pictures, with the memory [T, S] that the decoder has, too."""
    profile = _profile(game)
    data = profile.pictures(ENCODE, np.ascontiguousarray(frames), state, _shape(frames, state, corner), b"")
    return bytes.fromhex(profile.tables_sha256)[:_HASH_BYTES] + data


def decode_exact(
    game: str, data: bytes, state: np.ndarray | None, size: tuple[int, int, int], corner: tuple[int, int]
) -> np.ndarray:
    """uint8 [T, H, W] = `size`. Raises CodecError: damaged, or made with other tables."""
    profile, frames = _profile(game), np.zeros(size, np.uint8)
    if data[:_HASH_BYTES] != bytes.fromhex(profile.tables_sha256)[:_HASH_BYTES]:
        raise CodecError(
            f"neural profile: its exact pictures were coded with other tables ({data[:_HASH_BYTES].hex()}) than "
            f"'{profile.tables_id}' ({profile.tables_sha256[: 2 * _HASH_BYTES]}): decode it with the version that made "
            "it"
        )
    profile.pictures(DECODE, frames, state, _shape(frames, state, corner), data[_HASH_BYTES:])
    return frames


@lru_cache(maxsize=2)
def _profile(game: str) -> LosslessProfile:
    return LosslessProfile(game, version=3)  # part of the format


def _shape(frames: np.ndarray, state: np.ndarray | None, corner: tuple[int, int]) -> GopShape:
    count, height, width = frames.shape
    return GopShape(count, height, width, 1, 0 if state is None else state.shape[1], 0, corner)
