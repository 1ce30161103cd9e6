"""Programs written with Pyxel: calls that are logged, the picture that they tell, and what of it is not told."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hstmae.cli import main
from hstmae.data.sources.pyxel.log import Log, state_of
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import GameError
from hstmae.games import get_game
from hstmae.games.pyxel.memory import NO_KEY, SIZE, WHICH, calls_of
from hstmae.games.pyxel.picture import UNTOLD, Painter

SHAPE = 40, 48


def logged(banks: np.ndarray, draw: Any, shown: np.ndarray | None = None) -> np.ndarray:
    """The state of a frame of a program that draws with a stand-in for Pyxel; what is shown is as the calls say."""
    names = ("cls", "blt", "bltm", "rect", "camera", "clip", "pal")
    maps = [SimpleNamespace(imgsrc=1, pget=lambda x, y: (x % 32, y % 32))]
    stand_in = SimpleNamespace(**{n: lambda *_, **__: None for n in names}, tilemaps=maps, width=48, height=40)
    log = Log(stand_in)
    draw(stand_in)
    first = state_of(log, banks, np.zeros(SHAPE, np.uint8))
    return state_of(log, banks, Painter(*SHAPE).paint(first).astype(np.uint8) if shown is None else shown)


def test_pictures_follow_from_what_a_program_draws() -> None:
    banks = np.random.default_rng(0).integers(0, 16, (3, 256, 256), dtype=np.uint8)

    def draw(pyxel: Any) -> None:
        pyxel.cls(3)
        pyxel.bltm(0, 0, 0, 19, 13, 40, 24, colkey=5)
        pyxel.camera(4, -2)
        pyxel.blt(10.5, 20, 2, 8, 16, -8, 8, 0)
        pyxel.clip(0, 0, 20, 40)
        pyxel.pal(7, 9)
        pyxel.rect(18, 30, 9, 4, 7)
        pyxel.clip()
        pyxel.pal()

    state = logged(banks, draw)
    wanted = np.full(SHAPE, 3, np.uint8)
    part = banks[1, 13 : 13 + 24, 19 : 19 + 40]
    wanted[:24, :40] = np.where(part != 5, part, 3)
    part = banks[2, 16:24, 15:7:-1]
    wanted[22:30, 7:15] = np.where(part != 0, part, wanted[22:30, 7:15])
    wanted[32:36, 14:20] = 9
    assert np.array_equal(Painter(*SHAPE).draw(state), wanted)
    game = get_game("pyxel-48x40")
    decoded = game.decode(state[None], None)
    assert len(state) == SIZE and np.array_equal(decoded.tiles[0][0], wanted.astype(np.int16) + 1)
    assert decoded.camera[0] == 19 and decoded.boxes[0, 0].tolist() == [2, 7, 22, 15, 30]
    assert calls_of(state)[1].key == 5 and calls_of(state)[0].key == NO_KEY
    assert set(state[WHICH][state[WHICH] < 96].tolist()) == {32 + k for k in (1, 2, 3, 4)} | {64 + 2}


def test_of_other_calls_the_pixels_are_told_and_of_unknown_ones_nothing() -> None:
    screen = np.full(SHAPE, 1, np.uint8)

    def line(x: int, y: int) -> None:
        screen[y, x : x + 6] = [4, 4, 1, 5, 6, 6]

    stand_in = SimpleNamespace(cls=lambda col: None, line=line, width=48, height=40)
    stand_in.screen = SimpleNamespace(data_ptr=lambda: screen)
    log = Log(stand_in)
    stand_in.cls(1)
    stand_in.line(20, 3)
    assert [(c.x, c.w, c.bank) for c in log.calls[1:]] == [(20, 2, 4), (23, 1, 5), (24, 2, 6)]
    screen[9, 17] = 8  # by nobody
    told = Painter(*SHAPE).draw(state_of(log, np.zeros((3, 256, 256), np.uint8), screen))
    assert (told[8:16, 16:24] == UNTOLD).all() and (told == UNTOLD).sum() == 64
    assert np.array_equal(told[:8], screen[:8])
    state = np.random.default_rng(1).integers(0, 256, (1, SIZE), dtype=np.uint8)
    assert get_game("pyxel-48x40").decode(state, None).tiles[0].max() <= 17  # senseless memory is no crash
    for name in ("pyxel-8x40", "pyxel-300x40", "pyxel-48", "pyxel-48x40x"):
        with pytest.raises(GameError, match="unknown game"):
            get_game(name)


def test_a_program_is_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if find_spec("pyxel") is None:
        assert main(["record", "--app", "10_platformer", "--out", str(tmp_path / "s")]) == 2
        assert "pip install 'hstmae[pyxel]'" in capsys.readouterr().err
        return
    assert main(["record", "--app", "no such thing", "--out", str(tmp_path / "s")]) == 2
    (tmp_path / "bad.py").write_text("raise ValueError('no way')")
    assert main(["record", "--app", str(tmp_path / "bad.py"), "--out", str(tmp_path / "s")]) == 2
    assert "no way" in capsys.readouterr().err
    assert main(["record", "--app", "10_platformer", "--frames", "40", "--out", str(tmp_path / "s")]) == 0
    episode = EpisodeStore(tmp_path / "s")[0]
    assert episode.game == "pyxel-128x128" and len(episode) == 40 and episode.state is not None
    told = np.stack([Painter(128, 128).draw(memory) for memory in episode.state])
    assert np.array_equal(told, episode.frames)
