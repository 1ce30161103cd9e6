"""Recording environments: what is stored is what the environment showed, and the store can be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hstmae.cli import main
from hstmae.data.sources.gymnasium import GymEpisode, make_env
from hstmae.data.sources.movies.hst_movie import write_movie
from hstmae.data.sources.movies.movie import Movie
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.recording import record_into_store
from hstmae.errors import UsageError
from hstmae.games import get_game
from hstmae.games.atari import game_of

pytest.importorskip("gymnasium", reason="gymnasium is not installed (pip install 'hstmae[record]')")
pytest.importorskip("ale_py", reason="ale-py is not installed (pip install 'hstmae[record]')")

ENV = "ALE/Breakout-v5"


def test_recording_holds_what_the_environment_showed(tmp_path: Path) -> None:
    wish = GymEpisode(ENV, 40, seed=3)
    summary = record_into_store([wish], tmp_path / "store", game="atari", kind="gymnasium")
    store = EpisodeStore(summary.store)
    episode = store[0]
    assert episode.game == "atari" and episode.palette is None
    assert episode.frames.shape == (40, 210, 160, 3) and episode.state is not None and episode.actions is not None
    env = make_env(ENV)
    env.reset(seed=3)
    for t in range(40):
        env.step(int(episode.actions[t]))
        assert np.array_equal(env.render(), episode.frames[t])
        assert np.array_equal(env.unwrapped.ale.getRAM(), episode.state[t])  # type: ignore[attr-defined]
    env.close()
    assert len(np.unique(episode.actions)) > 1 and not store.verify()


def test_a_recording_is_kept_not_played_twice(tmp_path: Path) -> None:
    first = record_into_store([GymEpisode(ENV, 5)], tmp_path / "store", game="atari", kind="gymnasium")
    again = record_into_store(
        [GymEpisode(ENV, 5), GymEpisode(ENV, 5, seed=1)], tmp_path / "store", game="atari", kind="gymnasium"
    )
    assert (first.packed, again.packed, again.kept, again.episodes) == (1, 1, 1, 2)


def test_command_plays_a_movie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_movie(Movie(ENV, np.array([1, 1, 2, 3, 3, 3], np.uint8)), tmp_path / "moves.json")
    arguments = ["record", "--env", ENV, "--movie", str(tmp_path / "moves.json"), "--out", str(tmp_path / "store")]
    assert main([*arguments, "--json", str(tmp_path / "out.json")]) == 0
    assert EpisodeStore(tmp_path / "store")[0].actions.tolist() == [1, 1, 2, 3, 3, 3]  # type: ignore[union-attr]
    assert json.loads((tmp_path / "out.json").read_text())["frames"] == 6
    write_movie(Movie(ENV, np.array([1, 99], np.uint8)), tmp_path / "moves.json")
    assert main(arguments) == 2
    assert "actions 0 to 3" in capsys.readouterr().err
    assert len(EpisodeStore(tmp_path / "store")) == 1  # as it was


@pytest.mark.parametrize("name", ["ALE/NoSuchGame-v5", "no such thing", "ALE/Breakout-v5:x"])
def test_unknown_environments_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        make_env(name)
    assert main(["record", "--env", name, "--out", str(tmp_path / "store")]) == 2
    assert not (tmp_path / "store").exists()


def test_options_of_the_emulator_are_refused(tmp_path: Path) -> None:
    for option in (
        ["--autoplay"],
        ["--search-frames", "5"],
        ["--rom", "x"],
        ["--format", "smbdataset"],
        ["--frames", "0"],
    ):
        assert main(["record", "--env", ENV, "--out", str(tmp_path / "store"), *option]) == 2
    assert not (tmp_path / "store").exists()


def test_atari_state_is_the_memory() -> None:
    memory = np.random.default_rng(0).integers(0, 256, (3, 128), dtype=np.uint8)
    state = get_game("atari").decode(memory, None)
    assert state.tokens.shape == (3, 8, 16) and state.tokens.dtype == np.float32
    assert np.array_equal(np.rint(state.tokens * 255).reshape(3, 128), memory)
    assert get_game("atari").region_map(state, 3).shape == (3, 210, 160)


PONG = {"player": (92, 186, 92), "enemy": (213, 130, 74), "ball": (236, 236, 236)}
BREAKOUT = {"paddle": (200, 72, 72), "ball": (200, 72, 72)}


@pytest.mark.parametrize(("title", "colours"), [("Pong", PONG), ("Breakout", BREAKOUT)])
def test_labels_agree_with_the_picture(title: str, colours: dict[str, tuple[int, int, int]]) -> None:
    """Where a label says an object is, the picture has its colour; with the memory of ten frames later not."""
    environment = f"ALE/{title}-v5"
    game = get_game(game_of(environment))
    env = make_env(environment)
    env.reset(seed=1)
    rng, pictures, memory, action = np.random.default_rng(0), [], [], 0
    for t in range(320):
        action = int(rng.integers(env.action_space.n)) if t % 8 == 0 else action  # type: ignore[attr-defined]
        env.step(1 if t < 2 else action)
        if t >= 120 or title == "Breakout":
            pictures.append(env.render())
            memory.append(np.array(env.unwrapped.ale.getRAM()))  # type: ignore[attr-defined]
    env.close()
    for lag, low, high in ((0, 0.9, 1.0), (10, 0.0, 0.85)):
        state = game.decode(np.stack(memory)[lag:], None)
        for k, (name, colour) in enumerate(colours.items()):
            assert game.regions[k + 1] == name
            hits = total = 0
            for t in range(0, len(state.boxes), 3):
                region, x0, y0, x1, y1 = state.boxes[t, k].tolist()
                if region:
                    assert region == k + 1
                    hits += int((pictures[t][y0:y1, x0:x1] == colour).all(-1).sum())  # type: ignore[index]
                    total += (y1 - y0) * (x1 - x0)
            assert total > 40 and low <= hits / total <= high, (name, lag, hits / total)


def test_labelled_tokens() -> None:
    memory = np.zeros((3, 128), np.uint8)
    memory[:, 72] = 100  # paddle: 100 - 47 = 53
    memory[:, 99], memory[:, 101] = (80, 82, 82), (100, 104, 0)  # the ball moves by 2, 4, then is hidden
    game = get_game("atari-breakout")
    state = game.decode(memory, None)
    assert state.boxes[0].tolist() == [[1, 53, 189, 69, 193], [2, 31, 109, 33, 113]]
    assert state.boxes[2, 1].tolist() == [0] * 5 and state.token_valid[:, 9].tolist() == [True, True, False]
    assert state.tokens.shape == (3, 10, 16) and np.allclose(
        state.tokens[1, 9, :4], (34 / 160, 115 / 210, 1 / 8, 1 / 4)
    )
    assert not state.tokens[2, 9].any() and not state.tokens[:, 8, 2:].any()
    assert (game_of("ALE/Pong-v5"), game_of("ALE/Tennis-v5")) == ("atari-pong", "atari")
