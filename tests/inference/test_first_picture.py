"""The first picture of a recording whose memory belongs to the next: no file has its memory."""

from pathlib import Path

import fceux_files as fceux
import numpy as np
import pytest
from PIL import Image

from hstmae.games import get_game
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, restore_footage
from hstmae.inference.loading import load
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.sinks import FolderSink
from hstmae.masks.tubes import TubeSpec

SMB = get_game("smb")
FRAMES = fceux.sample(20)


def folder(tmp_path: Path, first: int, blank: bool = False) -> Path:
    """Eight files from `first` on, each with the memory of the next picture; `blank`: the first shows nothing."""
    files = []
    for (name, pixels, _), (_, _, tail) in zip(FRAMES[first : first + 8], FRAMES[first + 1 :], strict=False):
        shown = np.full_like(pixels, 0x22) if blank and not files else pixels
        files.append((name, fceux.indexed(shown, fceux.FCEUX) + tail))
    return fceux.write(tmp_path / "in", files)


@pytest.mark.parametrize("blank", [False, True])
def test_it_is_restored_from_what_follows(tmp_path: Path, blank: bool) -> None:
    path = folder(tmp_path, 8, blank)
    (footage,) = open_footage(path, "smb", lag=1)
    summary = RestoreSummary()
    sink = FolderSink(tmp_path / "out")
    restore_footage(load("hst-mae-nano"), footage, MaskRules(tube=TubeSpec(0.9, 1)), "auto", sink, summary)
    names = sorted(p.name for p in path.rglob("*.png"))
    first = next(n for n in names if "_f" in n and n == FRAMES[8][0])
    with Image.open(tmp_path / "out" / first) as made, Image.open(next(path.rglob(first))) as truth:
        exact = float((np.asarray(made.convert("RGB")) == np.asarray(truth.convert("RGB"))).all(-1).mean())
    assert exact == 1 if blank else exact > 0.99


def test_camera_and_sprites_move_back() -> None:
    rng = np.random.default_rng(0)
    now = rng.integers(0, 256, 2048).astype(np.uint8)
    now[0x71A], now[0x71C] = 3, 1
    now[0x200:0x300] = np.tile([0xF8, 0, 0, 0], 64)
    now[0x200:0x204] = 100, 7, 1, 50
    after = now.copy()
    after[0x71C] = 4
    after[0x200:0x204] = 98, 7, 1, 53
    assert SMB.moved(np.stack([now, after])) == 3
    guess = SMB.before(np.stack([now, after]), 3)
    assert (guess[0x71A], guess[0x71C]) == (2, 254)
    assert guess[0x200:0x204].tolist() == [102, 7, 1, 47]
    assert SMB.before(now[None], 0).tolist() == now.tolist()
    far = after.copy()
    far[0x71A] = 9
    assert SMB.moved(np.stack([now, far])) == 0
    other = get_game("generic")
    assert other.moved(np.zeros((2, 4), np.uint8)) == 0
    assert other.before(np.ones((2, 4), np.uint8), 1).tolist() == [1, 1, 1, 1]
