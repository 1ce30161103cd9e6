"""`hstmae stream` and `hstmae play`, from sources of all kinds to the terminal."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import make_golden
import numpy as np
import pytest
from served import Served, serving
from streaming import until

from hstmae.bundled import SAMPLES
from hstmae.cli import main
from hstmae.codec.session.encoder import description_of
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.commands import streaming
from hstmae.data.sources.base import SourceFrame
from hstmae.live.sources import Pace, ReadAhead, Session, again_and_again, sessions_of
from hstmae.live.terminal import Screen, coloured, drawn

pytest.importorskip("websockets", reason='the extra "serve" is needed')
SAMPLE = str(SAMPLES / "sample_session.hst")


@pytest.fixture
def served() -> Iterator[Served]:
    from hstmae.serving.live.streams import Streams

    with serving(streams=Streams()) as found:
        yield found


def test_a_file_is_sent_at_its_rate_kept_and_watched(served: Served, tmp_path: Path, capsys: Any) -> None:
    words = ["stream", SAMPLE, "--to", f"{served.url}mario", "--frames", "20", "--group", "8", "--fps", "100"]
    began = time.monotonic()
    assert main([*words, "--out", str(tmp_path / "kept.hst"), "--json", str(tmp_path / "told.json")]) == 0
    assert time.monotonic() - began > 0.19
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["frames"], told["sessions"]) == (20, 1) and told["connections"] >= 1 and told["bytes"] < 20 * 300
    assert "20 in" in capsys.readouterr().err
    sample = make_golden.sample(20)
    with HstReader(tmp_path / "kept.hst") as reader:
        kept = reader.read(0, range(20))
        assert reader.episodes()[0].name == sample.name and np.array_equal(kept.frames, sample.frames)
    assert main([*words, "--out", str(tmp_path / "kept.hst")]) == 2  # it is there already


def test_what_is_missing_is_sent_black_or_restored(served: Served, tmp_path: Path) -> None:
    frames = 12
    sample, hole = make_golden.sample(frames), (slice(None), slice(150, 190), slice(40, 90))
    words = ["stream", SAMPLE, "--frames", str(frames), "--fps", "50", "--rect", "40,150,50,40"]
    assert main([*words, "--to", f"{served.url}black", "--out", str(tmp_path / "black.hst")]) == 0
    more = [
        "--restore",
        "--deadline",
        "60",
        "--out",
        str(tmp_path / "restored.hst"),
        "--json",
        str(tmp_path / "told.json"),
    ]
    assert main([*words, "--to", f"{served.url}restored", *more]) == 0
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["restored"], told["restore_late"], told["restore_failed"], told["frames"]) == (frames, 0, 0, frames)
    made = []
    for name in ("black", "restored"):
        with HstReader(tmp_path / f"{name}.hst") as reader:
            made.append(reader.read(0, range(frames)).frames)
            assert np.array_equal(reader.read(0, range(frames)).state, sample.state)
    assert not sample.palette[made[0][hole]].any() and (made[1][hole] == sample.frames[hole]).mean() > 0.9
    for frames_made in made:
        frames_made[hole] = sample.frames[hole]
        assert np.array_equal(frames_made, sample.frames)
    assert main(["stream", SAMPLE, "--to", f"{served.url}x", "--restore"]) == 2
    began = time.monotonic()
    assert main([*words, "--to", f"{served.url}x", "--restore", "--checkpoint", "nothing"]) == 2
    assert time.monotonic() - began < 60  # not until it is given up


def test_a_stream_is_sent_on(served: Served, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "on.hst"), "--frames", "30"]
    relay = threading.Thread(
        target=main, args=(["stream", f"{served.url}a", "--to", f"{served.url}b", *out],), daemon=True
    )
    relay.start()
    assert main(["stream", SAMPLE, "--to", f"{served.url}a", "--fps", "30", "--loop", "--seconds", "3"]) == 0
    relay.join(20)
    sample = make_golden.sample(96)
    with HstReader(tmp_path / "on.hst") as reader:
        part = reader.read(0, range(reader.frames(0)))
        start = int(part.frame_numbers[0])
        numbers = part.frame_numbers - sample.frame_numbers[0]
        assert np.array_equal(part.frames, sample.frames[numbers]) and len(part.frames) > 10 and start >= 0


def test_nobody_there_is_said_and_the_game_goes_on(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PATIENCE", 0.1)
    assert main(["stream", SAMPLE, "--to", "http://127.0.0.1:9/x", "--frames", "3", "--fps", "1000"]) == 0
    assert "nobody answers" in capsys.readouterr().err


def test_play_shows_files_and_streams(served: Served, capsys: Any) -> None:
    assert main(["play", SAMPLE, "--frames", "3", "--fps", "1000"]) == 0
    assert "frame" in capsys.readouterr().out
    words = ["stream", SAMPLE, "--to", f"{served.url}m", "--loop", "--seconds", "2", "--fps", "200"]
    sending = threading.Thread(target=main, args=(words,), daemon=True)
    sending.start()
    assert main(["play", f"{served.url}m", "--frames", "5"]) == 0
    assert "ms behind" in capsys.readouterr().out
    sending.join(20)
    assert main(["play", SAMPLE, "--episode", "other"]) == 2


def test_a_file_that_grows_is_followed_to_its_end(tmp_path: Path) -> None:
    sample, path = make_golden.sample(24), tmp_path / "growing.hst"
    profile = make_profile("lossless", "smb")
    first = {"frame": sample.frames[0], "palette": sample.palette, "state": sample.state[0], "action": 0}
    described = description_of(profile, **first, gop=8, name="one", game="smb", fps=60.0)

    def write() -> None:
        with HstWriter(path, live=True) as writer, writer.episode(profile, described) as episode:
            for t in range(24):
                episode.add(sample.frames[t], t, sample.state[t], int(sample.actions[t]))
                time.sleep(0.02 * (t % 8 == 7))

    writing = threading.Thread(target=write)
    writing.start()
    until(lambda: path.is_file() and path.stat().st_size > 1000)
    video: Any = None
    sessions = [(s.name, list(s.frames)) for s in sessions_of(path, None, video, lambda problem: None)]
    writing.join()
    assert [name for name, _ in sessions] == ["one"]
    assert np.array_equal(np.stack([frame.pixels for frame in sessions[0][1]]), sample.frames)


def test_what_is_read_ahead_comes_in_order_with_its_error_and_can_be_given_up() -> None:
    def source(error: bool) -> Iterator[Any]:
        yield from sessions_of(Path(SAMPLE), None, None, lambda problem: None)  # type: ignore[arg-type]
        if error:
            raise ValueError("broken")

    session = next(iter(source(False)))
    frames = ReadAhead(session.frames, most=3)
    numbers = [next(frames).number for _ in range(5)]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    frames.close()
    assert not frames._thread.is_alive()

    def failing() -> Iterator[Any]:
        yield next(iter(session.frames))
        raise ValueError("broken")

    broken = ReadAhead(failing())
    next(broken)
    with pytest.raises(ValueError, match="broken"):
        next(broken)
    with pytest.raises(StopIteration):
        next(broken)


def test_time_that_was_lost_is_given_up() -> None:
    pace = Pace(1000)
    first = pace.wait()
    assert pace.wait() >= first + 0.001
    pace._due = first - 5
    assert pace.wait() > first and pace.late == 1


def test_pictures_in_characters() -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[:2], picture[3, 5] = (255, 0, 0), (0, 0, 9)
    text = drawn(picture, 6, 2)
    assert text.count("▀") == 12 and text.count("\n") == 2
    assert "\x1b[38;2;255;0;0;48;2;255;0;0m" in text and "48;2;0;0;9m" in text
    for size in ((1, 1), (200, 60), (3, 90)):
        lines = drawn(picture, *size).splitlines()
        assert len(lines) <= size[1] and all(line.count("▀") <= size[0] for line in lines)
    out = io.StringIO()
    with Screen(out) as screen:
        screen.say("lost")
        screen.show(coloured(np.zeros((4, 4), np.uint8), np.full((1, 3), 7, np.uint8)), "told")
    assert "told  lost" in out.getvalue() and out.getvalue().endswith("\x1b[?1049l") and "38;2;7;7;7" in out.getvalue()


def test_what_is_sent_again_and_again_is_read_once_where_it_fits() -> None:
    frames = [SourceFrame(t, np.full((4, 5, 3), t, np.uint8), None, np.full(2, t, np.uint8), 0) for t in range(6)]
    for most, reads in ((6 * 62, 1), (6 * 62 - 1, 3)):
        read: list[str] = []

        def once(read: list[str] = read) -> Iterator[Session]:
            for name, part in (("a", frames[:2]), ("b", frames[2:])):
                read.append(name)
                yield Session(name, "generic", None, iter(part))

        rounds = again_and_again(once, most)
        for _ in range(3):
            for name, part in (("a", frames[:2]), ("b", frames[2:])):
                session = next(rounds)
                assert session.name == name and list(session.frames) == part
        assert read == ["a", "b"] * reads
