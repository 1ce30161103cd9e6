"""The search of the autoplayer, on a made-up console: no ROM is needed."""

from __future__ import annotations

import numpy as np
import pytest
from toy_console import FLAG, MAP, WALL, ToyConsole

from hstmae.data.sources.smb import autoplay as module
from hstmae.data.sources.smb.autoplay import Play, Player, autoplay
from hstmae.data.sources.smb.explore import Archive, Cell
from hstmae.data.sources.smb.level_start import map_length, map_number, start_level
from hstmae.errors import DataError, UsageError

BUDGET = 10_000


class Greedy(Archive):
    """Always on from the furthest cell."""

    def choose(self) -> Cell:
        return self.best


def play(console: ToyConsole, seed: int, archive: type[Archive], monkeypatch: pytest.MonkeyPatch) -> Play:
    with monkeypatch.context() as patch:
        patch.setattr(module, "Archive", archive)
        return autoplay(console, "1-1", seed=seed, seconds=1e6, max_frames=BUDGET)


@pytest.mark.parametrize("seed", [1, 3])
def test_search_leaves_a_dead_end_and_greed_does_not(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = play(ToyConsole(), seed, Archive, monkeypatch)
    assert found.won and found.share == 1.0 and found.searched < BUDGET
    stuck = play(ToyConsole(), seed, Greedy, monkeypatch)
    assert not stuck.won and stuck.searched >= BUDGET
    assert stuck.x == WALL and stuck.share == WALL / stuck.length


def test_greed_is_enough_without_a_dead_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stops the greedy search above is the dead end, not the pits."""
    assert all(play(ToyConsole(dead_end=False), seed, Greedy, monkeypatch).won for seed in (1, 3))


def test_the_found_play_replays_from_power_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found = play(ToyConsole(), 1, Archive, monkeypatch)
    console = ToyConsole()
    pokes: dict[int, list[tuple[int, int]]] = {}
    for frame, address, value in found.movie.pokes:
        pokes.setdefault(frame, []).append((address, value))
    for t, buttons in enumerate(found.movie.actions.tolist()):
        assert console.read(0x770) != 2  # not won before the last frame
        for address, value in pokes.get(t, ()):
            console.poke(address, value)
        console.step(buttons)
    assert console.read(0x770) == 2 and console.x >= FLAG


def test_the_seed_decides_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    plays = [play(ToyConsole(), seed, Archive, monkeypatch) for seed in (5, 5, 6)]
    assert plays[0].movie == plays[1].movie and plays[0].searched == plays[1].searched
    assert plays[0].movie != plays[2].movie


def test_every_archived_cell_is_reached_by_its_buttons() -> None:
    console = ToyConsole()
    start_level(console, 1, 1)
    begin, rng = console.save(), np.random.default_rng(3)
    player = Player(console, rng, (0, 0))
    archive = Archive(player, rng)
    for _ in range(40):
        archive.rollout()
    assert len(archive.cells) > 10 and archive.best.progress == max(c.progress for c in archive.cells.values())
    for key, cell in archive.cells.items():
        console.load(begin)  # type: ignore[arg-type]
        path = cell.path()
        assert len(path) == cell.frames
        for buttons in path:
            console.step(buttons)
        assert player.place().key == key


def test_length_of_a_map() -> None:
    console = ToyConsole()
    assert map_number(console) == MAP and map_length(console) == 3 * 256 + 15 * 16
    console.peek = lambda address: 0  # type: ignore[method-assign, assignment]
    with pytest.raises(DataError, match="no end"):
        map_length(console)


def test_a_place_left_of_the_map_is_no_progress() -> None:
    """Mazes set the player back, at times by a pixel too far."""
    console = ToyConsole()
    start_level(console, 1, 1)
    player = Player(console, np.random.default_rng(0), (0, 0))
    progress = player.place().progress
    console.poke(0x6D, 255)
    console.poke(0x86, 255)
    assert player.place().progress == -1 < progress and player.furthest()[0] == progress


def test_impossible_limits_are_refused() -> None:
    for limits in ({"seconds": 0.0}, {"max_frames": 0}):
        with pytest.raises(UsageError, match="search time"):
            autoplay(ToyConsole(), "1-1", **limits)  # type: ignore[arg-type]
