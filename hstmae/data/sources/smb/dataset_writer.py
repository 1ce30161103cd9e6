"""Writing an episode as a folder in the smbdataset layout, so that other tools of that data set can read it."""

from __future__ import annotations

import struct
import zlib
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from ....errors import DataError
from ....output import filling
from ...episode import OUTCOMES, Episode
from ..png import SIGNATURE, png_chunk
from .colours import GAME, SIZE
from .names import EPISODE_FOLDER
from .tail import RAM_BYTES

BASE = GAME.emulator_entry
_EPOCH = datetime(2000, 1, 1)


def write_smbdataset(
    episode: Episode,
    folder: str | Path,
    *,
    damaged: bool = False,
    user: str = "hstmae",
    session: str = "export",
    overwrite: bool = False,
) -> Path:
    """Write one PNG per frame with memory, buttons and outcome behind it.

    Args:
        episode: frames uint8 [T, 240, 256] (or the part of them that a recorder kept) of colours 0-63, with palette,
            state [T, 2048] and actions.
        folder: an episode folder `<user>_<session>_e0_<level>[_<outcome>]` is made inside of it; it must not exist yet.
        damaged: store 0A as 0D 0A in the metadata, as the recorder of the public data set did.
        user, session: names without "_" in `session`; an episode whose name already has the layout keeps its own.
    Returns:
        The episode folder. File times are counted from the frame number, since an Episode holds no clock.
    Raises:
        DataError: the episode lacks memory, buttons or a palette, or has another size.
        UsageError: the folder has content and `overwrite` is False.
        OSError: the disk is full; nothing is left behind.
    """
    state, actions, palette = episode.state, episode.actions, episode.palette
    if state is None or actions is None or palette is None:
        raise DataError(f"{episode.name}: smbdataset needs palette, state and actions")
    part = tuple(side + at for side, at in zip(episode.frames.shape[1:3], episode.corner, strict=True))
    cut_off = episode.corner != (0, 0) and part[0] <= SIZE[0] and part[1] <= SIZE[1]
    if not (part == SIZE or cut_off) or state.shape[1:] != (RAM_BYTES,) or len(palette) > 64:
        raise DataError(f"{episode.name}: smbdataset needs 256x240 frames of 64 colours and {RAM_BYTES} bytes of state")
    stem, name = _names(episode, user, session)
    target = Path(folder) / name
    word = "" if episode.outcome == "cut" else f".{episode.outcome}"
    head = head_bytes(episode.frames.shape[1:3], palette)
    with filling(target, overwrite) as temp:
        for t, number in enumerate(episode.frame_numbers.tolist()):
            time = (_EPOCH + timedelta(seconds=number / episode.fps)).strftime("%Y-%m-%d_%H-%M-%S")
            tail = tail_bytes(state[t], int(actions[t]), OUTCOMES.index(episode.outcome))
            path = temp / f"{stem}_f{number}_a{int(actions[t])}_{time}{word}.png"
            tail = tail.replace(b"\n", b"\r\n") if damaged else tail
            path.write_bytes(head + picture_bytes(episode.frames[t]) + tail)
    return target


def _names(episode: Episode, user: str, session: str) -> tuple[str, str]:
    """Stem of the file names, and the folder's name."""
    suffix = "" if episode.outcome == "cut" else f"_{episode.outcome}"
    match = EPISODE_FOLDER.fullmatch(episode.name)
    if match and (match["outcome"] or "cut") == episode.outcome:
        return episode.name.removesuffix(suffix), episode.name
    stem = f"{user}_{session}_e0_{episode.level or '0-0'}"
    return stem, stem + suffix


def head_bytes(size: tuple[int, ...], palette: np.ndarray) -> bytes:
    """What stands before the picture data: height and width, and colours uint8 [K, 3] where FCEUX has them."""
    table = np.zeros((256, 3), np.uint8)
    table[BASE : BASE + len(palette)] = palette
    header = struct.pack(">IIBBBBB", size[1], size[0], 8, 3, 0, 0, 0)
    return SIGNATURE + png_chunk(b"IHDR", header) + png_chunk(b"PLTE", table.tobytes())


def picture_bytes(pixels: np.ndarray, level: int = 6, base: int = BASE) -> bytes:
    """IDAT and IEND of colours uint8 [H, W], stored from entry `base` on and packed by zlib at `level`."""
    rows = np.zeros((pixels.shape[0], pixels.shape[1] + 1), np.uint8)  # a leading 0 per row: filter "none"
    rows[:, 1:] = pixels | base
    return png_chunk(b"IDAT", zlib.compress(rows.tobytes(), level)) + png_chunk(b"IEND", b"")


def tail_bytes(ram: np.ndarray, action: int, outcome: int) -> bytes:
    """What the recorder appends to a picture, undamaged: memory uint8 [2048], buttons, position in OUTCOMES."""

    def text(key: bytes, value: bytes) -> bytes:
        return struct.pack(">I", len(key) + 1 + len(value)) + b"tEXt" + key + b"\0" + value + bytes(4)

    return text(b"RAM", ram.tobytes()) + text(b"BP1", bytes([action])) + text(b"OUTCOME", bytes([outcome]))
