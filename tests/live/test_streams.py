"""Streams from publisher to viewers: what is seen is what was sent, whatever happens on the way."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path
from typing import Any

import make_golden
import numpy as np
import pytest
from proxy import Proxy

from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.verifying import verify_file
from hstmae.errors import CodecError
from hstmae.live.messages import Coded, Place
from hstmae.live.sending import LiveStream
from hstmae.live.watching import Shown
from hstmae.signals import stopping

pytest.importorskip("websockets", reason='the extra "serve" is needed')


from streaming import FRAMES, Watcher, all_sent, last, same, send, streams, until


@pytest.fixture(scope="module")
def sample() -> Any:
    return make_golden.sample(FRAMES)


def test_viewers_see_what_is_sent_and_both_ends_keep_it_as_a_file(sample: Any, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with streams(tmp_path / "kept") as served:
        url = f"{served.url}mario"
        with LiveStream(url, game="smb", name="session", out=tmp_path / "own.hst", group=16) as stream:
            send(stream, sample, range(5))
            all_sent(stream)
            early = Watcher(url, last(FRAMES))
            until(lambda: early.seen)
            send(stream, sample, range(5, 23))
            late = Watcher(url, last(FRAMES))  # in the middle of a group
            until(lambda: late.seen)
            send(stream, sample, range(23, FRAMES))
            same(early.wait(), sample, list(range(FRAMES)))
            same(late.wait(), sample, list(range(16, FRAMES)))
            assert early.decoding.groups == 2 and late.decoding.groups == 1
            shown = json.loads(served.get("/live.json")[2])["streams"][0]
            assert shown["name"] == "mario" and shown["live"] and shown["recording"].startswith("files/mario-")
            growing = served.get("/" + shown["recording"])
            assert growing[0] == 200 and len(growing[2]) > 1000  # of a file that is still being written
            stream.end_session("win")
        until(lambda: not json.loads(served.get("/live.json")[2])["streams"][0]["live"])
        (kept,) = (tmp_path / "kept").glob("*.hst")
    assert early.seen[0].description.name == "session"
    for path in (kept, tmp_path / "own.hst"):
        with HstReader(path) as reader:
            (episode,) = reader.episodes()
            assert (episode.profile, episode.outcome, reader.missing(0)) == ("live", "win", [])
            whole = reader.read(0, range(FRAMES))
            assert np.array_equal(whole.frames, sample.frames) and np.array_equal(whole.state, sample.state)
            assert np.array_equal(whole.actions, sample.actions)
        assert not verify_file(path).problems
    packets = {path: [g for g in path.read_bytes().split(b"\xd5GOP")[1:3]] for path in (kept, tmp_path / "own.hst")}
    assert packets[kept] == packets[tmp_path / "own.hst"]  # the very packets: nothing is coded twice


def coloured(shown: Shown) -> np.ndarray:
    return shown.picture if shown.description.colours is None else shown.description.colours[shown.picture]


def test_pictures_without_memory_in_few_and_in_many_colours(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    few = np.repeat(rng.integers(0, 3, (8, 24, 32, 1), np.uint8) * 80, 3, 3)
    few[6:] += 7  # colours that were not there before
    many = rng.integers(0, 256, (4, 24, 32, 3), np.uint8)
    with streams() as served, LiveStream(f"{served.url}a.b", fps=50) as stream:
        watcher = Watcher(f"{served.url}a.b", lambda shown: shown.description.channels == 3 and shown.place == 3)
        for n, picture in enumerate((*few, *many)):
            stream.frame(picture)
            all_sent(stream)
            if n in (0, 7):  # before that session is over
                until(lambda sent=picture: any(np.array_equal(coloured(one), sent) for one in watcher.seen))
        seen = watcher.wait()
    shown = [coloured(one) for one in seen]
    assert np.array_equal(np.stack(shown[-4:]), many)
    for picture in shown:
        assert any(np.array_equal(picture, sent) for sent in (*few, *many))


def test_connections_that_break_are_made_again_and_nothing_is_lost(sample: Any) -> None:
    """The publisher's and the viewer's go through proxies that reset them."""
    with streams() as served, Proxy(served.port) as sending, Proxy(served.port) as watching:
        url = f"http://127.0.0.1:{sending.port}/mario"
        with LiveStream(url, game="smb", group=8) as stream:
            send(stream, sample, range(3))
            all_sent(stream)
            watcher = Watcher(f"http://127.0.0.1:{watching.port}/mario", last(FRAMES))
            until(lambda: len(watcher.seen) >= 3)
            for broken, rows in ((sending, range(3, 9)), (watching, range(9, 19)), (sending, range(19, FRAMES))):
                broken.reset()
                send(stream, sample, rows)
                until(lambda: stream.publisher.connected and stream.publisher.wait(1))
                until(lambda rows=rows: watcher.seen[-1].number >= rows[-1])
            same(watcher.wait(), sample, list(range(FRAMES)))
            assert stream.publisher.connections >= 3 and watcher.told


def test_a_server_that_comes_back_and_a_source_that_begins_anew(sample: Any) -> None:
    with streams() as served, LiveStream(f"{served.url}m", game="smb", group=8) as stream:
        port = served.port
        send(stream, sample, range(10))
        all_sent(stream)
        watcher = Watcher(f"http://127.0.0.1:{port}/m", last(FRAMES))
        until(lambda: watcher.seen)
        other = contextlib.ExitStack()
        served.stop()
        other.enter_context(streams(port=port))
        with other:
            until(lambda: stream.publisher.connections >= 2)
            send(stream, sample, range(10, 20))
            until(lambda: watcher.seen[-1].number == 19)
            stream.end_session("fail")
            until(lambda: watcher.decoding.outcome == "fail")
            send(stream, sample, range(FRAMES))  # another session, from its beginning
            seen = watcher.wait()
    assert seen[-1].epoch != seen[0].epoch and [s.number for s in seen if s.epoch == seen[-1].epoch] == list(
        range(FRAMES)
    )


def test_a_viewer_who_is_too_slow_misses_the_rest_of_a_group_and_nobody_waits() -> None:
    """By the rules alone: a connection that takes nothing, and one that never says that anything arrived."""
    from hstmae.serving.live.viewer import LATE, PATIENCE, Viewer

    class Connection:
        def __init__(self) -> None:
            self.waiting = 0
            self.sent: list[bytes] = []

        def get_write_buffer_size(self) -> int:
            return self.waiting

        def write(self, data: bytes) -> None:
            self.sent.append(data)

    connection = Connection()
    viewer = Viewer(connection)  # type: ignore[arg-type]
    viewer.acknowledge(Place(1, 0, 0), 0.0)
    viewer.begin(b"g0")
    viewer.offer(b"f0", Place(1, 0, 1), 0.0, 100)
    connection.waiting = 101
    viewer.offer(b"f1", Place(1, 0, 2), 0.1, 100)
    viewer.begin(b"g1")  # still full: this group is missed, too
    viewer.offer(b"f2", Place(1, 1, 1), 0.2, 100)
    assert connection.sent == [b"g0", b"f0"] and viewer.behind and viewer.jumps == 1
    connection.waiting = 0
    viewer.begin(b"g2")
    assert viewer.behind  # f0 may have arrived, but nobody has said so
    viewer.acknowledge(Place(1, 0, 1), 0.3)
    viewer.begin(b"g3")
    assert not viewer.behind and connection.sent[-1] == b"g3" and b"\x08\x02\0\0\0" in connection.sent[-2]
    viewer.offer(b"f3", Place(1, 3, 1), 1.0, 100)
    viewer.offer(b"f4", Place(1, 3, 2), 1.01 + LATE, 100)
    assert viewer.behind and not viewer.given_up(1.0) and viewer.given_up(3.0 + LATE + PATIENCE)
    viewer.acknowledge(Place(1, 3, 1), 2.5)
    assert viewer.idle and viewer.place == Place(1, 3, 1)
    viewer.go_on([b"f4"])  # the session is over: what it has not got is sent
    assert not viewer.behind and connection.sent[-1] == b"\x82\x02f4"


def test_a_stream_that_is_refused_leaves_the_file_whole(sample: Any, tmp_path: Path) -> None:
    """What is kept where the game runs is the user's, whatever the server says."""
    path = tmp_path / "own.hst"
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(streams())
        stack.enter_context(pytest.raises(CodecError, match="no more"))
        stream = stack.enter_context(LiveStream(f"{served.url}m", game="smb", group=8, out=path))
        send(stream, sample, range(13))
        stream.publisher.failure = "no more"
        send(stream, sample, range(13, 20))
    assert not verify_file(path).problems
    with HstReader(path) as reader:
        assert np.array_equal(reader.read(0, range(reader.frames(0))).frames, sample.frames[:13])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_frame_comes_after_it(number: int, sample: Any, tmp_path: Path) -> None:
    """What is sent is what is kept, and what the group's hash is of."""
    path = tmp_path / "own.hst"
    with streams() as served, contextlib.ExitStack() as stack:
        stream = stack.enter_context(LiveStream(f"{served.url}m", game="smb", group=8, out=path))
        watcher = Watcher(f"{served.url}m", last(14))
        send(stream, sample, range(1))
        until(lambda: watcher.seen)  # from the first frame on
        add, sent = stream.publisher.add, []

        def added(message: Any) -> None:
            add(message)
            sent.append(message)
            if sum(isinstance(one, Coded) for one in sent) == 13 and isinstance(message, Coded):
                signal.raise_signal(number)

        stream.publisher.add = added  # type: ignore[method-assign]
        with stopping(), pytest.raises(KeyboardInterrupt):
            send(stream, sample, range(1, 20))
        stream.end_session()
        same(watcher.wait(), sample, list(range(14)))
        stream.publisher.add = add  # type: ignore[method-assign]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not verify_file(path).problems
    with HstReader(path) as reader:
        assert np.array_equal(reader.read(0, range(reader.frames(0))).frames, sample.frames[:14])


def test_figures_for_prometheus(sample: Any) -> None:
    with streams() as served, LiveStream(f"{served.url}m", game="smb") as stream:
        send(stream, sample, range(4))
        all_sent(stream)
        text = served.get("/metrics")[2].decode()
        assert 'hstmae_stream_frames_total{stream="m"} 4' in text and 'hstmae_stream_publishing{stream="m"} 1' in text
        for line in text.splitlines():
            assert line.startswith("# ") or float(line.rsplit(" ", 1)[1]) >= 0
