"""Jobs of one long episode or film that are stopped within it: the same job goes on there, with the same bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from short_pictures import content, make_film, picture
from synthetic_episodes import frame_file, make_episode, write_episodes

from hstmae import journal
from hstmae.atomic import TEMP_MARK
from hstmae.data.sources.base import AT_HAND, SourceEpisode, SourceFrame
from hstmae.data.sources.video import VideoOptions
from hstmae.data.store.columns import ColumnWriter
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.recording import record_into_store
from hstmae.data.store.writer import Packing
from hstmae.errors import DataError

FAST = Packing(level=1, frame_group=4)
FRAMES = 60


class Player:
    """An environment: what it plays follows from `luck`."""

    level, outcome, fps, name, size = "", "cut", 60.0, "play", FRAMES

    def __init__(self) -> None:
        self.luck = 0
        self.drawn = 0

    def signature(self, content: bool = False) -> list[list[object]]:
        return [["play"]]

    def frames(self, report: object = None, notes: object = None, known: object = ()) -> Iterator[SourceFrame]:
        for t in range(FRAMES):
            wanted = t not in known  # type: ignore[operator]
            self.drawn += wanted
            yield SourceFrame(t, picture(t + self.luck) if wanted else AT_HAND, None, np.full(128, t, np.uint8), t % 4)


def make_source(kind: str, folder: Path) -> None:
    folder.mkdir()
    if kind == "session":
        (session,) = write_episodes(folder, make_episode(FRAMES))
        frame_file(session, 9).write_bytes(b"broken")
        frame_file(session, 30).unlink()
    elif kind == "pictures":
        for t in range(FRAMES):
            mode = "RGBA" if t == 7 else "RGB"
            Image.fromarray(picture(t)).convert(mode).save(folder / f"{t}.png")
        (folder / "20.png").write_bytes(b"broken")
    elif kind == "animation":
        shown = [Image.fromarray(picture(t)) for t in range(FRAMES)]
        shown[0].save(folder / "a.webp", save_all=True, append_images=shown[1:], lossless=True, duration=40)
    elif kind == "film":
        make_film(folder / "a.mp4", FRAMES)
    elif kind == "film with side file":
        make_film(folder / "a.mp4", FRAMES)
        np.savez(folder / "a.npz", actions=np.arange(FRAMES, dtype=np.uint8))


KINDS = ("session", "pictures", "animation", "film", "film with side file", "environment")


def runner(kind: str, folder: Path) -> Callable[[Path], object]:
    if kind == "environment":
        player = Player()
        return lambda out: record_into_store([player], out, game="atari", kind="made", packing=FAST)
    make_source(kind, folder)
    game = "smb" if kind == "session" else "generic"
    return lambda out: preprocess(folder, out, game=game, workers=1, packing=FAST)


class Counting:
    """Counts pictures that are packed, and ends the run at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.left, self.error = 0, 0, KeyboardInterrupt()
        add = ColumnWriter.add

        def counted(column: ColumnWriter, row: np.ndarray) -> bool:
            if column._name == "frames":
                self.left -= 1
                if self.left == 0:
                    raise self.error
                self.count += 1
            return add(column, row)

        monkeypatch.setattr(ColumnWriter, "add", counted)


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


@pytest.mark.parametrize("kind", KINDS)
def test_an_episode_is_gone_on_with_within_it(kind: str, tmp_path: Path, packed: Counting) -> None:
    run, rng = runner(kind, tmp_path / "in"), random.Random(kind)
    run(tmp_path / "whole")
    once, ends = packed.count, 0
    packed.error = rng.choice([KeyboardInterrupt(), OSError(28, "No space left on device")])
    while True:
        packed.left = rng.randint(1, 25)
        try:
            run(tmp_path / "out")
            break
        except (KeyboardInterrupt, DataError):
            ends += 1
    assert ends > 1 and packed.count <= 2 * once + ends * FAST.frame_group  # a group that was begun is packed again
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert not list(tmp_path.rglob(f".*{TEMP_MARK}*"))


def test_what_is_packed_already_is_not_read_again(tmp_path: Path, packed: Counting) -> None:
    player = Player()

    def run() -> object:
        return record_into_store([player], tmp_path / "out", game="atari", kind="made", packing=FAST)

    packed.left = 50
    with pytest.raises(KeyboardInterrupt):
        run()
    player.drawn = packed.left = 0
    run()
    assert player.drawn == FRAMES - 48 + 2  # and the first and last of those 48


@pytest.fixture
def halfway(tmp_path: Path, packed: Counting) -> Path:
    """A store in which an episode is begun: 32 frames of it are packed."""
    make_source("pictures", tmp_path / "in")
    preprocess(tmp_path / "in", tmp_path / "whole", game="generic", workers=1, packing=FAST)
    packed.left = 35
    with pytest.raises(KeyboardInterrupt):
        preprocess(tmp_path / "in", tmp_path / "out", game="generic", workers=1, packing=FAST)
    packed.count = packed.left = 0
    return next((tmp_path / "out" / "episodes").glob(".*-unfinished"))


DAMAGE = {
    "cut off": lambda data, log: data.write_bytes(data.read_bytes()[:-5]),
    "longer": lambda data, log: data.write_bytes(data.read_bytes() + b"half a group"),
    "altered": lambda data, log: data.write_bytes(data.read_bytes()[:100] + b"?" + data.read_bytes()[101:]),
    "gone": lambda data, log: data.unlink(),
    "empty": lambda data, log: data.write_bytes(b""),
    "half a line": lambda data, log: log.write_bytes(log.read_bytes()[:-9]),
    "zeros": lambda data, log: log.write_bytes(log.read_bytes()[:-40] + bytes(40)),
    "no line": lambda data, log: log.write_bytes(b""),
    "another's": lambda data, log: log.write_bytes(b'{"key":"x"}\n' + log.read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_leftovers_are_never_believed(damage: str, tmp_path: Path, halfway: Path) -> None:
    DAMAGE[damage](halfway / "data.bin", halfway / journal.JOURNAL)
    preprocess(tmp_path / "in", tmp_path / "out", game="generic", workers=1, packing=FAST)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.parametrize("change", ["nothing", "source", "options", "version", "rebuild"])
def test_leftovers_of_another_job_are_packed_anew(
    change: str, tmp_path: Path, halfway: Path, packed: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    packing, level = FAST, 2 if change == "options" else 1
    if change == "source":
        Image.fromarray(picture(99)).save(tmp_path / "in" / "0.png")
    packing = Packing(level=level, frame_group=4)
    if change == "version":
        monkeypatch.setattr(journal, "programs", lambda: ["another"])
    how = {"game": "generic", "workers": 1, "packing": packing}
    preprocess(tmp_path / "in", tmp_path / "out", **how, rebuild=change == "rebuild")  # type: ignore[arg-type]
    assert packed.count == (FRAMES - 1 - (32 if change == "nothing" else 0))
    preprocess(tmp_path / "in", tmp_path / "fresh", **how)  # type: ignore[arg-type]
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


def test_an_abandoned_episode_goes_when_another_job_ends(tmp_path: Path, halfway: Path) -> None:
    make_source("animation", tmp_path / "other")
    preprocess(tmp_path / "other", tmp_path / "out", game="generic", workers=1, packing=FAST)
    assert not halfway.exists() and not list((tmp_path / "out").rglob(f".*{TEMP_MARK}*"))
    preprocess(tmp_path / "other", tmp_path / "fresh", game="generic", workers=1, packing=FAST)
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


def test_an_environment_that_does_not_play_the_same_again_is_recorded_anew(tmp_path: Path, packed: Counting) -> None:
    player = Player()

    def run(out: Path) -> object:
        return record_into_store([player], out, game="atari", kind="made", packing=FAST)

    packed.left = 30
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out")
    player.luck, packed.left = 5, 0
    run(tmp_path / "out")
    run(tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_sources_take_what_is_known(tmp_path: Path) -> None:
    """Whatever is known, all but the pictures is the same, and what is not known has its picture."""
    from hstmae.data.sources.finding import find_sources
    from hstmae.games import get_game

    for kind in KINDS[:-1]:
        make_source(kind, tmp_path / kind)
        game = get_game("smb" if kind == "session" else "generic")
        (episode,) = find_sources(tmp_path / kind, game, VideoOptions())[1]
        whole, numbers = _told(episode, ())
        part, _ = _told(episode, frozenset(numbers[1:40:3]))
        assert part == whole, kind


def _told(episode: SourceEpisode, known: object) -> tuple[list[object], list[int]]:
    problems: list[object] = []
    notes: dict[str, int] = {}
    frames = list(episode.frames(problems.append, notes, known))  # type: ignore[arg-type]
    for frame in frames:
        assert frame.pixels.ndim > 1 or frame.number in known  # type: ignore[operator]
    told = [(f.number, None if f.state is None else f.state.tobytes(), f.action, f.alone, f.corner) for f in frames]
    return [told, problems, notes], [f.number for f in frames if not f.alone]
