"""Learning an atlas: what visits saw, what they are worth, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hstmae.atlas.kinds import KINDS
from hstmae.atlas.learning.learn import build_atlas, frames_to_read
from hstmae.atlas.learning.object_counts import ObjectCounter
from hstmae.atlas.learning.visits import UNSEEN, VARIES, Visit, ballot, learn_looks, recognise, usual
from hstmae.atlas.maps import Atlas, Located, WorldMap
from hstmae.atlas.objects import ObjectLooks
from hstmae.atlas.tiles import TileLooks
from hstmae.cli import main
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import DataError
from hstmae.games import get_game
from hstmae.games.camera_steps import ORDER, CameraSteps
from hstmae.games.pixels import View
from hstmae.games.state import ObjectBoxes

GAME = get_game("smb")


def test_the_bundled_session_gives_its_own_map(sample_store: EpisodeStore) -> None:
    counted: list[int] = []
    atlas = build_atlas(sample_store, GAME, (), stride=2, progress=counted.append)
    assert sum(counted) == frames_to_read(sample_store, (), 2)
    read = sample_store.read(0, np.arange(0, 96, 2))
    assert read.state is not None
    state = GAME.decode(read.state, read.context)
    assert list(atlas.maps) == np.unique(state.scene).tolist()
    atlas.trust[:, 1:] = 1  # one visit tests nothing, so nothing is trusted: look at what was learned all the same
    view = View.whole(read.frames, GAME, state)
    colours, trust = atlas.look_up(Located.of_state(state), view.at_level("compact"))
    still = ~view.moving & (trust > 0)
    still[:, :32] = False  # the clock runs
    assert still[:, 32:].mean() > 0.9 and (colours == read.frames)[still].mean() > 0.985
    assert len(atlas.looks.keys) > 5 and len(atlas.text.keys) > 5
    assert (len(atlas.objects.keys), len(atlas.sprites.keys), len(atlas.glow.keys)) == (8, 63, 14)
    every = sample_store.read(0, np.arange(96))
    assert every.state is not None
    step = np.diff(Located.of_state(GAME.decode(every.state, every.context)).camera)  # of all frames, not every 2nd
    known = CameraSteps.of([step])
    assert np.array_equal(atlas.steps.before, known.before) and np.array_equal(atlas.steps.counts, known.counts)
    assert known.counts.sum() == 95 - ORDER


def test_a_single_visit_is_not_trusted(sample_store: EpisodeStore) -> None:
    atlas = build_atlas(sample_store, GAME, (), stride=8)
    assert atlas.trust.shape == (3, KINDS) and not atlas.trust.any()


def test_votes() -> None:
    entries = np.array([5, 9], np.uint8)
    counts = np.array([[10, 0, 5, 0, 1], [0, 3, 5, 0, 19]])
    assert ballot(counts, entries).tolist() == [5, 9, VARIES, UNSEEN, 9]


def test_looks_are_trusted_as_far_as_other_visits_bear_them_out() -> None:
    def visit(colour: int, odd: int) -> Visit:
        colours = np.full((240, 256), colour, np.uint8)
        colours[32:48, :16] = odd
        tiles = np.full((13, 16), 3, np.int16)
        tiles[0, 0] = 4
        return Visit(
            0, np.arange(1), 1, 0, colours, tiles, np.full((240, 256), UNSEEN, np.uint8), colours, (0, 0, 0, 0)
        )

    entries = GAME.shown_entries
    steady = [visit(entries[1], entries[2 + i]) for i in range(4)]  # tile 3 always, tile 4 never looks the same
    looks, trust = learn_looks(GAME, steady)
    assert looks.keys[:, -1].tolist() == [3, 4]
    assert (looks.colours[0] == entries[1]).all()
    agreed, dissent = trust[looks.kinds[0, 0, 0]], trust[looks.kinds[1, 0, 0]]
    assert dissent < 0.1 and agreed == 0  # the kind of four visits was never tested: three are left of each
    assert trust.max() > 0.99


def test_the_command_and_what_it_refuses(
    sample_store: EpisodeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.npz"
    command = ["atlas", str(sample_store.path), "--out", str(out), "--split", "all", "--stride", "8"]
    assert main([*command, "--pictures", str(tmp_path / "maps")]) == 0
    assert "1 maps" in capsys.readouterr().out and len(list((tmp_path / "maps").glob("smb_*.png"))) == 1
    assert Atlas.load(out).game == "smb"
    for change, told in (
        (["--stride", "0"], "--stride"),
        (["--out", str(tmp_path / "a.png")], ".npz"),
        (["--split", "nothing"], "no episode of split nothing"),
    ):
        assert main([*command, "--overwrite", *change]) == 2
        assert told in capsys.readouterr().err
    assert main(["atlas", str(tmp_path), "--out", str(out)]) == 2


def test_games_without_maps_are_refused(sample_store: EpisodeStore) -> None:
    with pytest.raises(DataError, match="needs a palette and a state"):
        build_atlas(sample_store, get_game("generic"))


def test_tiles_without_a_name_are_recognised_by_their_look() -> None:
    cell, rows, cells = 16, 13, 4
    rng = np.random.default_rng(0)
    pictures, keys = (
        rng.integers(0, 60, (2, cell, cell), np.uint8),
        np.array([[0, 0, 0, 0, 3], [0, 0, 0, 0, 8]], np.int32),
    )
    looks = TileLooks(keys, pictures, np.ones((2, cell, cell), np.uint8))
    colours = np.zeros((240, cells * cell), np.uint8)
    colours[32:48, 16:32], colours[48:64, 32:48] = looks.colours[1], looks.colours[0]
    kinds = np.ones(colours.shape, np.uint8)
    kinds[60, 40] = 0  # not all of this one was ever seen
    blank = np.zeros((240, 256), np.uint8)
    world = WorldMap(
        colours, kinds, np.full((rows, cells), -1, np.int16), blank, blank, np.zeros((240, 256, 3), np.uint8), 32
    )
    world.tiles[0, 0] = 5  # named by a state
    recognise(world, looks, (0, 0, 0, 0), GAME)
    assert world.tiles[0, :2].tolist() == [5, 8] and world.tiles[1, 2] == -1 and (world.tiles[2:] == -1).all()


def test_the_usual_colour_is_the_one_most_often_seen() -> None:
    counts = np.array([[3, 0, 0], [4, 0, 1]])
    assert usual(counts, np.array([5, 9], np.uint8)).tolist() == [9, UNSEEN, 9]


def test_kinds_that_nobody_saw_are_never_trusted() -> None:
    votes = np.full((16, 16), UNSEEN, np.uint8)
    seen = Visit(0, np.arange(1), 1, 0, np.full((240, 256), GAME.shown_entries[1], np.uint8),
                 np.full((13, 16), 3, np.int16), np.full((240, 256), UNSEEN, np.uint8),
                 np.zeros((240, 256, 3), np.float32), votes, (0, 0, 0, 0), {}, 0, 32)  # fmt: skip
    _, trust = learn_looks(GAME, [seen, seen])
    assert trust[0] == 0 and trust.any()


def test_objects_are_counted_where_they_alone_are_seen() -> None:
    frames, behind = np.full((1, 240, 256), 5, np.uint8), np.full((1, 240, 256), 1, np.uint8)
    behind[0, :, 104:] = 2
    known, backdrop = np.ones(frames.shape, bool), np.array([1], np.int16)

    def counted(*places: tuple[int, int], **more: np.ndarray) -> ObjectLooks:
        counter = ObjectCounter(GAME)
        box = np.array([[[x, y, x + 8, y + 8] for x, y in places]], np.int32)
        seen = ObjectBoxes(np.zeros((1, len(places), 1), np.int32), box, np.ones((1, len(places)), bool), **more)
        for _ in range(5):
            counter.add(frames, seen, behind, known, backdrop)
        counter.add(frames, None, behind, known, backdrop)
        return counter.result()

    assert counted((100, 100)).seen.tolist() == [5]
    assert not len(counted((252, 100)).keys)  # partly outside
    assert counted((100, 100), behind=np.ones((1, 1), bool)).share[0].astype(bool).sum() == 4 * 8  # over the backdrop
    lines = np.zeros((1, 1, 8), bool)
    lines[..., :2] = True
    assert counted((100, 100), lines=lines).share[0].astype(bool).sum() == 2 * 8
    both = counted((20, 20), (24, 20)).share[0].astype(bool)
    assert both[:, :4].all() and both[:, 4:].all()  # each half is seen alone in one of the two
