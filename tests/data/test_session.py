"""Cutting a run into episodes, on a made-up console whose memory follows a script."""

from __future__ import annotations

from typing import Any

import numpy as np

from hstmae.data.sources.movies.movie import Movie
from hstmae.data.sources.smb.session import RecordedEpisode, play_movie

PLAYING = {0x770: 1, 0x772: 3, 0x75A: 2}


class ScriptedConsole:
    """After frame t the memory is `script[t]`, its picture shows the number of the frame before."""

    def __init__(self, script: list[dict[int, int]]) -> None:
        self.script, self.calls = script, [("start", 0)]

    def power(self) -> None:
        self.frame = -1
        self.calls.append(("power", 0))

    def reset(self) -> None:
        self.calls.append(("reset", self.frame + 1))

    def poke(self, address: int, value: int) -> None:
        self.calls.append(("poke", self.frame + 1))

    def step(self, buttons: int) -> None:
        self.frame += 1

    def ram(self) -> np.ndarray:
        ram = np.zeros(2048, np.uint8)
        for address, value in self.script[min(self.frame, len(self.script) - 1)].items():
            ram[address] = value
        ram[0] = self.frame
        return ram

    def picture(self) -> np.ndarray:
        return np.full((240, 256), self.frame - 1, np.uint8)


def play(script: list[dict[int, int]], **movie: Any) -> list[RecordedEpisode]:
    console: Any = ScriptedConsole(script)
    return list(play_movie(console, Movie("smb", np.arange(len(script), dtype=np.uint8), **movie), session="x"))


def test_memory_goes_with_the_next_picture_and_pauses_are_gaps() -> None:
    paused = {**PLAYING, 0x776: 1}
    (episode,) = play([{}, PLAYING, PLAYING, paused, paused, PLAYING])
    frames = list(episode.frames())
    assert [frame.number for frame in frames] == [1, 2, 5]
    for frame, t in zip(frames, (1, 2, 5), strict=True):
        assert frame.state is not None and frame.state[0] == t and frame.action == t
        assert (frame.pixels == t).all()  # drawn in frame t + 1, from the memory of frame t
    whole = episode.episode()
    assert (
        whole.frame_numbers.tolist() == [1, 2, 5] and whole.actions is not None and whole.actions.tolist() == [1, 2, 5]
    )
    assert (episode.outcome, episode.name) == ("cut", "hstmae_x_e0_1-1")


def test_outcomes() -> None:
    lost, died = {0x770: 1, 0x75A: 1}, {**PLAYING, 0x75A: 1}
    world3 = {**PLAYING, 0x75F: 2, 0x75C: 3}
    episodes = play(
        [PLAYING, PLAYING, lost, died, died, {0x770: 1, 0x75A: 1, 0x75C: 1}, world3, world3, {**world3, 0x770: 2}]
    )
    assert [(e.outcome, e.level, e.size, e.index) for e in episodes] == [
        ("fail", "1-1", 2, 0),
        ("win", "1-1", 2, 1),
        ("win", "3-4", 2, 2),
    ]
    last_life = {**PLAYING, 0x75A: 0}
    assert [e.outcome for e in play([last_life, last_life, {0x770: 3, 0x75A: 255}])] == ["fail"]
    more = {**PLAYING, 0x75A: 3}
    assert [e.outcome for e in play([PLAYING, more, more, {0x770: 1, 0x75A: 2}])] == ["fail"]  # a life won, then lost


def test_a_reset_ends_an_episode_and_pokes_come_before_their_frame() -> None:
    episodes = play([PLAYING] * 6, resets=((3, "soft"),))
    assert [(e.outcome, e.size) for e in episodes] == [("cut", 2), ("cut", 3)]  # frame 2 was never drawn
    console: Any = ScriptedConsole([{}] * 4)
    movie = Movie("smb", np.zeros(4, np.uint8), pokes=((0, 5, 5), (2, 5, 5)), resets=((1, "soft"), (3, "hard")))
    assert not list(play_movie(console, movie))
    assert console.calls == [("start", 0), ("power", 0), ("poke", 0), ("reset", 1), ("poke", 2), ("power", 0)]


def test_equal_sessions_have_equal_signatures() -> None:
    one, same, longer = play([PLAYING] * 4)[0], play([PLAYING] * 4)[0], play([PLAYING] * 5)[0]
    assert one.signature() == same.signature() != longer.signature()
