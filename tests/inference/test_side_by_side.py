"""Restoring in many processes gives what one gives."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fake_networks import Painter, predictor

from hstmae.errors import DataError
from hstmae.games import get_game
from hstmae.inference.footage.files import PictureFiles
from hstmae.inference.job import Restores, RestoreSummary, restore_footage
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.side_by_side import ENOUGH, SideBySide, side_by_side
from hstmae.inference.sinks import FolderSink
from hstmae.masks.tubes import TubeSpec
from hstmae.pictures.indexed import to_png

GAME = get_game("smb")
FRAMES = 7


class Refuses:
    """A restorer that finds fault with what it is given."""

    def restore(self, *args: object, **options: object) -> None:
        raise DataError("a stretch that nobody can restore")


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PictureFiles]:
    folder, rng = tmp_path_factory.mktemp("frames"), np.random.default_rng(0)
    for t in range(FRAMES):
        picture = rng.choice(np.array([0x22, 0x0F, 0x17], np.uint8), (48, 64))
        (folder / f"f{t:06d}.png").write_bytes(to_png(picture, GAME.palette))
    yield PictureFiles("", sorted(folder.iterdir()), GAME)


def run(restorer: Restores, footage: PictureFiles, out: Path) -> tuple[RestoreSummary, list[list[int]], int]:
    """Three stretches, of which each is handed over on its own."""
    summary, notes, steps = RestoreSummary(), [], []
    masks = MaskRules(tube=TubeSpec(0.5, 1))
    restore_footage(
        restorer, footage, masks, "none", FolderSink(out), summary, length=3, note=notes.append, progress=steps.append
    )
    return summary, notes, sum(steps)


def test_two_processes_write_what_one_writes(footage: PictureFiles, tmp_path: Path) -> None:
    one, _, _ = run(predictor(Painter()), footage, tmp_path / "one")
    with SideBySide(predictor(Painter()), partial(predictor, Painter()), 2) as many:
        two, notes, steps = run(many, footage, tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == FRAMES and two == one and steps == FRAMES
    assert sorted(position for some in notes for position in some) == list(range(FRAMES))
    for name in files:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_what_is_wrong_in_a_process_is_told_here(footage: PictureFiles, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nobody can restore"), SideBySide(predictor(Painter()), Refuses, 1) as many:
        run(many, footage, tmp_path / "out")


def test_few_frames_are_restored_in_this_process() -> None:
    one = predictor(Painter())
    for total, wanted, alone in ((ENOUGH - 1, 0, True), (ENOUGH, 1, True), (10, 8, True), (ENOUGH, 2, False)):
        with side_by_side(one, partial(predictor, Painter()), total, wanted) as restorer:
            assert (restorer is one) == alone
