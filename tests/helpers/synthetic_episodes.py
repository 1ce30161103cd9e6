"""Small made-up episodes in the smbdataset layout."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from hstmae.data import Episode
from hstmae.data.sources.smb.dataset_writer import write_smbdataset

PALETTE = np.random.default_rng(7).integers(0, 256, (64, 3), dtype=np.uint8)


def make_episode(
    frames: int = 24,
    *,
    seed: int = 0,
    numbers: list[int] | None = None,
    level: str = "1-1",
    outcome: str = "win",
    index: int = 0,
) -> Episode:
    """Noisy pictures and memory full of line ends, so that nothing compresses or repairs by luck."""
    rng = np.random.default_rng(seed)
    numbers = list(range(1, frames + 1)) if numbers is None else numbers
    count = len(numbers)
    pictures = np.repeat(rng.integers(0, 64, (count, 24, 256), dtype=np.uint8), 10, axis=1)
    state = rng.integers(0, 256, (count, 2048), dtype=np.uint8)
    state[:, :64] = 0x0A
    state[:, 64:128:2], state[:, 65:128:2] = 0x0D, 0x0A
    suffix = "" if outcome == "cut" else f"_{outcome}"
    return Episode(
        name=f"player_abcd_e{index}_{level}{suffix}",
        game="smb",
        frames=pictures,
        palette=PALETTE,
        state=state,
        context=None,
        actions=rng.integers(0, 256, count, dtype=np.uint8),
        frame_numbers=np.array(numbers, np.int32),
        outcome=outcome,
        level=level,
    )


def write_episodes(folder: Path, *episodes: Episode, damaged: bool = True) -> list[Path]:
    return [write_smbdataset(episode, folder, damaged=damaged) for episode in episodes]


def frame_file(folder: Path, number: int) -> Path:
    (path,) = folder.glob(f"*_f{number}_a*.png")
    return path


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def make_png(
    rows: bytes,
    *,
    palette: bytes = bytes(768),
    width: int = 256,
    height: int = 240,
    depth: int = 8,
    colour: int = 3,
    interlace: int = 0,
) -> bytes:
    """A PNG around already filtered rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"PLTE", palette)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def assert_same(got: Episode, wanted: Episode) -> None:
    """Everything a recording holds is equal, bit by bit."""
    for name in ("frames", "palette", "state", "actions", "frame_numbers"):
        a, b = getattr(got, name), getattr(wanted, name)
        assert a.dtype == b.dtype and np.array_equal(a, b), name
    assert (got.name, got.level, got.outcome) == (wanted.name, wanted.level, wanted.outcome)
