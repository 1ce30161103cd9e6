"""The lag between memory and pictures is found, whatever recorded them, and never a wrong one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.bundled import SAMPLES
from hstmae.cli import main
from hstmae.data.episode import Episode
from hstmae.data.pairing import LAGS, Pairing, describe, usual
from hstmae.data.sources.smb.dataset import SmbEpisode
from hstmae.data.sources.smb.dataset_writer import write_smbdataset
from hstmae.data.sources.smb.lag_tests import shift
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.data.sources.smb.pairing import find_pairing
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import UsageError

HEIGHT, WIDTH = 240, 256


@pytest.fixture(scope="module")
def session(sample_store: EpisodeStore) -> Episode:
    """The bundled session: 96 frames whose memory belongs to their own pictures."""
    return sample_store[0]


def lagging(episode: Episode, lag: int) -> Episode:
    """The same as a recorder of this lag writes it: the picture of a frame goes with the memory of the frame - lag."""
    assert episode.state is not None and episode.actions is not None
    count = len(episode)
    told = np.arange(max(0, -lag), count - max(0, lag))  # the pictures; their memory lies lag frames before
    frames = episode.take(told)
    assert frames.state is not None
    other = episode.take(told + lag)
    return Episode(**{**vars(frames), "state": other.state, "actions": other.actions})


def found(episode: Episode, rows: range | list[int] | None = None, cut: bool = False) -> Pairing:
    chosen = list(range(len(episode))) if rows is None else list(rows)
    assert episode.state is not None
    state = episode.state

    def picture(k: int) -> np.ndarray:
        pixels = episode.frames[chosen[k]]
        return pixels[8:232] if cut else pixels

    return find_pairing(episode.frame_numbers[chosen], lambda k: state[chosen[k]], picture)


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("cut", [False, True])
def test_every_lag_is_found_in_a_real_session_of_240_and_of_224_lines(session: Episode, lag: int, cut: bool) -> None:
    pairing = found(lagging(session, lag), cut=cut)
    assert (pairing.lag, pairing.by) == (lag, "scroll") and pairing.tested >= 6
    assert pairing.agreed[LAGS.index(lag)] == max(pairing.agreed) >= 0.9 * pairing.tested
    assert Pairing.from_json(pairing.to_json()) == pairing


@settings(max_examples=60)
@given(st.sampled_from(LAGS), st.integers(0, 90), st.integers(1, 94), st.sets(st.integers(0, 93), max_size=6))
def test_pieces_and_gaps_never_tell_a_wrong_lag(
    sample_store: EpisodeStore, lag: int, start: int, length: int, lost: set[int]
) -> None:
    episode = lagging(sample_store[0], lag)
    rows = [k for k in range(start, min(start + length, len(episode))) if k not in lost]
    if rows:
        pairing = found(episode, rows)
        assert pairing.lag == lag or pairing.by == "nothing"


@pytest.mark.parametrize("frames", [16, 40, 94])
@pytest.mark.parametrize("lag", LAGS)
def test_sprites_tell_where_the_scroll_registers_do_not(session: Episode, lag: int, frames: int) -> None:
    assert session.state is not None
    still = session.state.copy()
    still[:, 0x71A] = still[:, 0x71C] = 0
    pairing = found(lagging(Episode(**{**vars(session), "state": still}), lag), range(frames))
    assert pairing.lag == lag or pairing.by == "nothing"
    if frames > 16:
        assert pairing.by == "sprites" and pairing.agreed[LAGS.index(lag)] == max(pairing.agreed)
        assert Pairing.from_json(pairing.to_json()).to_json() == pairing.to_json()


def moving(lag: int, speeds: list[int], seed: int = 0) -> Episode:
    """A made-up session: a noisy world that scrolls by `speeds`, one after the other, without any sprite."""
    rng = np.random.default_rng(seed)
    camera = np.concatenate([[0], np.cumsum(speeds)])
    world = np.repeat(rng.integers(0, 60, (HEIGHT, int(camera[-1]) // 4 + WIDTH), dtype=np.uint8), 4, axis=1)
    count = len(camera)
    state = np.zeros((count, 2048), np.uint8)
    state[:, 0x200:0x300:4] = 0xF8  # all sprites below the picture
    state[:, 0x71A], state[:, 0x71C], state[:, 0x09] = camera // 256, camera % 256, np.arange(count)
    frames = np.stack([world[:, x : x + WIDTH] for x in camera])
    numbers = np.arange(1, count + 1, dtype=np.int32)
    made = Episode("made_up_e0_1-1", "smb", frames, np.zeros((64, 3), np.uint8), state, None, np.zeros(count, np.uint8),
                   numbers)  # fmt: skip
    return lagging(made, lag)


@settings(max_examples=40)
@given(st.sampled_from(LAGS), st.lists(st.integers(0, 8), min_size=40, max_size=120), st.integers(0, 99))
def test_any_speeds_that_change_tell(lag: int, speeds: list[int], seed: int) -> None:
    pairing = found(moving(lag, speeds, seed))
    told = len(set(speeds)) > 3
    assert pairing.lag == lag if told else (pairing.lag == lag or pairing.by == "nothing")


@pytest.mark.parametrize("speeds", [[0] * 60, [2] * 60, [3] * 10])
def test_what_stands_still_or_never_changes_its_speed_tells_nothing(speeds: list[int]) -> None:
    for lag in LAGS:
        assert found(moving(lag, speeds)) == Pairing(0, "nothing")


def test_alternating_speeds_do_not_tell_minus_one_from_plus_one(session: Episode) -> None:
    assert found(moving(0, [2, 3] * 30)).lag == 0  # told from both
    for lag in (-1, 1):
        pairing = found(moving(lag, [2, 3] * 30))
        assert pairing.by == "nothing"  # and without sprites nothing else tells


def test_lags_that_contradict_each_other_tell_nothing() -> None:
    parts = [moving(lag, [1, 2, 2, 3] * 6, seed) for seed, lag in enumerate((0, 1, -1) * 3)]
    states = [part.state for part in parts if part.state is not None]
    count = sum(map(len, parts))
    state = np.concatenate(states)
    state[:, 0x09] = np.arange(count)
    mixed = Episode(**{**vars(parts[0]), "frames": np.concatenate([part.frames for part in parts]), "state": state,
                       "frame_numbers": np.arange(count, dtype=np.int32)})  # fmt: skip
    assert found(mixed).by == "nothing"


def test_a_load_screen_that_the_numbers_do_not_count_is_no_neighbour() -> None:
    episode = moving(1, [1, 2, 2, 3] * 12)
    assert episode.state is not None
    episode.state[:, 0x09] = np.arange(len(episode)) * 3  # every frame is followed by two that were not recorded
    assert found(episode) == Pairing(0, "nothing")


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_what_is_painted_over_in_all_pictures_does_not_hide_the_scroll(session: Episode, share: float) -> None:
    wide = int(WIDTH * share)
    for lag in LAGS:
        episode = lagging(session, lag)
        painted = episode.frames.copy()
        painted[:, :, 64 : 64 + wide] = 17
        assert found(Episode(**{**vars(episode), "frames": painted})).lag == lag


def test_pictures_of_unknown_pixels_say_nothing() -> None:
    unknown = np.full((HEIGHT, WIDTH), -1, np.int16)
    assert shift(unknown, unknown) is None
    plain = np.zeros((HEIGHT, WIDTH), np.int16)
    assert shift(plain, plain) == 0 and shift(plain, unknown) is None


def test_episodes_that_do_not_tell_are_taken_as_the_others(session: Episode, tmp_path: Path) -> None:
    """In files: one that tells, and one in which nothing moves; and what the program says about it."""
    for name, rows in (("a_s_e0_1-1", slice(0, 95)), ("a_s_e1_1-1", slice(0, 3))):
        episode = lagging(session, 1).take(rows)
        write_smbdataset(Episode(**{**vars(episode), "name": name, "outcome": "cut"}), tmp_path / "in")
    summary = preprocess(tmp_path / "in", tmp_path / "out", workers=1)
    infos = {info.name: info.pairing for info in EpisodeStore(tmp_path / "out").infos()}
    first, second = infos["a_s_e0_1-1"], infos["a_s_e1_1-1"]
    assert first is not None and second is not None
    assert (first.lag, first.by, second.lag, second.by) == (1, "scroll", 1, "others")
    assert summary.frames == 94 + 2 and "in 2 of 2 episodes (lag +1)" in summary.pairing[0]
    assert preprocess(tmp_path / "in", tmp_path / "out", workers=1).kept == 2  # nothing is packed anew
    alone = preprocess(tmp_path / "in" / "a_s_e1_1-1", tmp_path / "alone", workers=1)
    assert "nothing tells" in alone.pairing[0] and alone.frames == 3
    given = preprocess(tmp_path / "in" / "a_s_e1_1-1", tmp_path / "given", workers=1, lag=1)
    assert "lag +1" in given.pairing[0] and given.frames == 2


@pytest.mark.parametrize("lag", LAGS)
def test_a_store_of_files_of_any_lag_holds_the_same(session: Episode, tmp_path: Path, lag: int) -> None:
    write_smbdataset(lagging(session, lag), tmp_path / "in", damaged=True)
    preprocess(tmp_path / "in", tmp_path / "out", workers=1)
    episode = EpisodeStore(tmp_path / "out")[0]
    same = session.take(np.isin(session.frame_numbers, episode.frame_numbers))
    assert len(episode) >= len(session) - 2
    for name in ("frames", "state", "actions", "frame_numbers"):
        assert np.array_equal(getattr(episode, name), getattr(same, name)), name
    assert episode.notes.get("unpaired", 0) == abs(lag)


@pytest.mark.parametrize("lag", LAGS)
def test_encoded_files_of_any_lag_come_back_byte_for_byte(session: Episode, tmp_path: Path, lag: int) -> None:
    source = lagging(session.take(slice(0, 16)), lag)
    source = source.take(np.delete(np.arange(len(source)), 6))  # a gap
    folder = write_smbdataset(source, tmp_path / "in", damaged=True)
    arguments = ["--workers", "1", "--lag", str(lag)] if lag else ["--workers", "1"]
    assert main(["encode", str(tmp_path / "in"), str(tmp_path / "x.hst"), *arguments]) == 0
    assert main(["decode", str(tmp_path / "x.hst"), str(tmp_path / "back"), "--to", "smbdataset"]) == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "back" / folder.name).iterdir()} == before
    assert (
        main(["decode", str(tmp_path / "x.hst"), str(tmp_path / "some"), "--to", "smbdataset", "--frames", "5:9"]) == 0
    )
    some = list((tmp_path / "some" / folder.name).iterdir())
    assert len(some) >= 4 and all(path.read_bytes() == before[path.name] for path in some)


def test_most_frequent_lag_and_words() -> None:
    zero, one, silent = Pairing(0, "scroll", 9, (1, 9, 1)), Pairing(1, "scroll", 9, (1, 2, 9)), Pairing(0, "nothing")
    assert usual([one, one, zero, silent]) == Pairing(1, "others") and usual([zero, one]) == Pairing(0, "others")
    assert usual([silent, None]) == silent
    lines = describe([one, Pairing(1, "others"), zero, silent, None])
    assert "own picture in 1 of 4 episodes (lag 0)" in lines[0]
    assert "next picture in 2 of 4 episodes (lag +1); paired again; in 1 of them" in lines[1]
    assert "in 1 of 4 episodes" in lines[2] and "--lag" in lines[2] and len(lines) == 3
    assert describe([None]) == []


def test_a_lag_is_for_files(sample_store: EpisodeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["inspect", str(sample_store.path)], ["encode", str(sample_store.path), str(tmp_path / "x.hst")]):
        assert main([*verb, "--lag", "1"]) == 2
        assert "--lag 1" in capsys.readouterr().err
    with pytest.raises(UsageError):
        preprocess(SAMPLES, tmp_path / "out", game="generic", lag=1)
    assert main(["inspect", str(SAMPLES / "sample_session"), "--lag", "2"]) == 2


def test_few_files_are_read_of_a_long_episode(session: Episode, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    assert session.state is not None
    state = session.state
    times = 20  # the session over and over: the jumps are cut off by the clock

    def picture(k: int) -> np.ndarray:
        read.append(k)
        return session.frames[k % 96]

    find_pairing(np.arange(96 * times), lambda k: state[k % 96], picture)
    assert len(read) < 60
    (episode,) = list_episodes(SAMPLES / "sample_session")
    assert isinstance(episode, SmbEpisode) and episode.find_pairing().lag == 0
