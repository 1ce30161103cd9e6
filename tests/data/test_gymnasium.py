"""Recording environments: what is stored is what the environment showed, and the store can be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hstmae.cli import main
from hstmae.data.recording import record_into_store
from hstmae.data.sources.gymnasium import GymEpisode, make_env
from hstmae.data.sources.movies import Movie, write_movie
from hstmae.data.store import EpisodeStore
from hstmae.errors import UsageError
from hstmae.games import get_game

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
    for option in (["--autoplay"], ["--rom", "x"], ["--format", "smbdataset"], ["--frames", "0"]):
        assert main(["record", "--env", ENV, "--out", str(tmp_path / "store"), *option]) == 2
    assert not (tmp_path / "store").exists()


def test_atari_state_is_the_memory() -> None:
    memory = np.random.default_rng(0).integers(0, 256, (3, 128), dtype=np.uint8)
    state = get_game("atari").decode(memory, None)
    assert state.tokens.shape == (3, 8, 16) and state.tokens.dtype == np.float32
    assert np.array_equal(np.rint(state.tokens * 255).reshape(3, 128), memory)
    assert get_game("atari").region_map(state, 3).shape == (3, 210, 160)
