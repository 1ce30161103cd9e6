"""Atari games with the console's own colours: the palette and the labels, looked at in pictures of the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hstmae.cli import main
from hstmae.data.sources.gymnasium import GymEpisode, describe_env
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.games.atari import LabelledAtari
from hstmae.games.atari_games import GAMES, NTSC, game_of

pytest.importorskip("gymnasium", reason="gymnasium is not installed (pip install 'hstmae[record]')")
ale_py = pytest.importorskip("ale_py", reason="ale-py is not installed (pip install 'hstmae[record]')")

LABELLED = [game for game in GAMES if issubclass(game, LabelledAtari)]
FRAMES, LATE = 180, {"MsPacman": 320}  # frames looked at, and those of a tune before anything moves


def played(title: str, frames: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Colour numbers, RGB and memory of each frame of random play."""
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale, random, action = ale_py.ALEInterface(), np.random.default_rng(7), 0
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(ale_py.roms.get_rom_path(title))
    actions = ale.getMinimalActionSet()
    for t in range(frames):
        if t % 6 == 0:
            action = actions[random.integers(len(actions))]
        ale.act(action)
        if ale.game_over():
            ale.reset_game()
        yield ale.getScreen().copy(), ale.getScreenRGB().copy(), ale.getRAM().copy()


def rom_of(game: type[LabelledAtari]) -> str:
    by_title = {rom.title().replace("_", ""): rom for rom in ale_py.roms.get_all_rom_ids()}
    return str(by_title[game.__name__])


def test_colours_are_the_emulators() -> None:
    assert len(np.unique(NTSC, axis=0)) == 128
    seen = set()
    for rom in ("alien", "seaquest", "pitfall", "qbert"):
        *_, (numbers, rgb, _) = played(rom, 90)
        assert np.array_equal(NTSC[numbers >> 1], rgb)
        seen |= set(np.unique(numbers).tolist())
    assert len(seen) > 30


@pytest.mark.parametrize("game", LABELLED, ids=lambda game: game.__name__)
def test_boxes_lie_on_what_moves(game: type[LabelledAtari]) -> None:
    """In a box something stands out from the scenery; in the same box of another time mostly nothing does."""
    begin = LATE.get(game.__name__, 80)
    frames = [frame for t, frame in enumerate(played(rom_of(game), begin + FRAMES)) if t >= begin and t % 2]
    numbers, _, memory = (np.stack(part) for part in zip(*frames, strict=True))
    flat = np.sort(numbers, 0)
    scenery = flat[len(flat) // 2]  # what is mostly there
    boxes = get_game(game.name).decode(memory, None).boxes
    assert (boxes[..., 0] > 0).any(0).all()

    def covered(shift: int) -> np.ndarray:
        """Of the boxes of the objects, the share that is not scenery, in pictures `shift` frames later."""
        found: list[list[float]] = [[] for _ in game.objects]
        for t, k in zip(*np.nonzero(boxes[..., 0]), strict=True):
            _, x0, y0, x1, y1 = boxes[t, k]
            later = numbers[(t + shift) % len(numbers)]
            found[k].append(float((later[y0:y1, x0:x1] != scenery[y0:y1, x0:x1]).mean()))
        return np.array([np.median(one) for one in found])

    here, later = covered(0), covered(len(numbers) // 2)
    assert (here > 0.15).all() and (here >= later).all() and here.sum() > 1.2 * later.sum(), (here, later)


def test_recorded_in_its_own_colours_and_coded(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert main(["record", "--env", "ALE/Boxing-v5", "--frames", "40", "--out", str(store)]) == 0
    held = EpisodeStore(store)
    episode = held[0]
    assert held.game == "atari2600-boxing" and episode.palette is not None and episode.frames.shape == (40, 210, 160)
    rgb = next(iter(GymEpisode("ALE/Boxing-v5", 1).frames())).pixels
    assert np.array_equal(episode.palette[episode.frames[0]], rgb)
    assert main(["encode", str(store), str(tmp_path / "a.hst")]) == 0
    assert main(["decode", str(tmp_path / "a.hst"), str(tmp_path / "again"), "--to", "store"]) == 0
    assert np.array_equal(EpisodeStore(tmp_path / "again")[0].frames, episode.frames)


def test_what_is_not_ntsc_stays_in_true_colour_and_others_have_no_labels() -> None:
    assert game_of("ALE/Venture-v5") == "atari2600" and game_of("ALE/YarsRevenge-v5") == "atari2600-yarsrevenge"
    assert describe_env("ALE/AirRaid-v5")[0] == "atari"
    assert {get_game(game.name).name for game in GAMES} == {game.name for game in GAMES} and len(LABELLED) >= 8
