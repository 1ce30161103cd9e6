"""Streams from publisher to viewers: what is seen is what was sent, whatever happens on the way."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import make_golden
import numpy as np
import pytest
from proxy import Proxy
from served import Served, serving

from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.verifying import verify_file
from hstmae.errors import CodecError, DataError, UsageError
from hstmae.live.messages import Begun, Coded, Place
from hstmae.live.publisher import address_of, connect
from hstmae.live.sending import LiveStream
from hstmae.live.watching import Decoding, Shown, watch

pytest.importorskip("websockets", reason='the extra "serve" is needed')
FRAMES = 40


@pytest.fixture(scope="module")
def sample() -> Any:
    return make_golden.sample(FRAMES)


@contextlib.contextmanager
def streams(tmp_path: Path | None = None, **options: Any) -> Iterator[Served]:
    from hstmae.serving.live.streams import Streams

    held = Streams(tmp_path, options.pop("publish", ""))
    with serving(tmp_path, streams=held, **options) as served:
        yield served
    held.close()


class Watcher(threading.Thread):
    """Watches a stream; what it has seen."""

    def __init__(self, url: str, until: Callable[[Shown], bool] = lambda shown: False, **options: Any) -> None:
        super().__init__(daemon=True)
        self.url, self.until, self.options = url, until, options
        self.decoding, self.seen, self.told = Decoding(), [], []
        self.start()

    seen: list[Shown]
    told: list[str]

    def run(self) -> None:
        for shown in watch(self.url, patience=8, told=self.told.append, decoding=self.decoding, **self.options):
            self.seen.append(shown)
            if self.until(shown):
                return

    def wait(self) -> list[Shown]:
        self.join(20)
        assert not self.is_alive(), (self.told, len(self.seen))
        return self.seen


def send(stream: LiveStream, sample: Any, rows: range, pause: float = 0.002) -> None:
    for t in rows:
        stream.frame(sample.frames[t], sample.state[t], int(sample.actions[t]), sample.palette)
        time.sleep(pause)


def same(seen: list[Shown], sample: Any, rows: list[int]) -> None:
    assert [shown.number for shown in seen] == rows
    for shown in seen:
        row = shown.number
        assert np.array_equal(shown.picture, sample.frames[row]) and np.array_equal(shown.state, sample.state[row])
        assert shown.actions is not None and shown.actions[0] == sample.actions[row]


def last(frames: int) -> Callable[[Shown], bool]:
    return lambda shown: shown.number == frames - 1


def until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_viewers_see_what_is_sent_and_both_ends_keep_it_as_a_file(sample: Any, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with streams(tmp_path / "kept") as served:
        url = f"{served.url}mario"
        with LiveStream(url, game="smb", name="session", out=tmp_path / "own.hst", group=16) as stream:
            send(stream, sample, range(5))
            assert stream.publisher.wait(5)
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


def test_pictures_without_memory_in_few_and_in_many_colours(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    few = np.repeat(rng.integers(0, 3, (8, 24, 32, 1), np.uint8) * 80, 3, 3)
    few[6:] += 7  # colours that were not there before
    many = rng.integers(0, 256, (4, 24, 32, 3), np.uint8)
    with streams() as served, LiveStream(f"{served.url}a.b", fps=50) as stream:
        watcher = Watcher(f"{served.url}a.b", lambda shown: shown.description.channels == 3 and shown.place == 3)
        for picture in (*few, *many):
            stream.frame(picture)
            until(lambda: stream.publisher.wait(1))
            time.sleep(0.02)
        seen = watcher.wait()
    shown = [s.picture if s.description.colours is None else s.description.colours[s.picture] for s in seen]
    assert np.array_equal(np.stack(shown[-4:]), many) and any(np.array_equal(s, few[7]) for s in shown)
    for picture in shown:
        assert any(np.array_equal(picture, sent) for sent in (*few, *many))


def test_connections_that_break_are_made_again_and_nothing_is_lost(sample: Any) -> None:
    """The publisher's and the viewer's go through proxies that reset them."""
    with streams() as served, Proxy(served.port) as sending, Proxy(served.port) as watching:
        url = f"http://127.0.0.1:{sending.port}/mario"
        with LiveStream(url, game="smb", group=8) as stream:
            send(stream, sample, range(3))
            assert stream.publisher.wait(5)
            watcher = Watcher(f"http://127.0.0.1:{watching.port}/mario", last(FRAMES))
            until(lambda: len(watcher.seen) >= 3)
            for broken, rows in ((sending, range(3, 9)), (watching, range(9, 19)), (sending, range(19, FRAMES))):
                broken.reset()
                send(stream, sample, rows)
                until(lambda: stream.publisher.connected and stream.publisher.wait(1))
                until(lambda rows=rows: watcher.seen[-1].number >= rows[-1])
            same(watcher.wait(), sample, list(range(FRAMES)))
            assert stream.publisher.connections == 3 and watcher.told


def test_a_server_that_comes_back_and_a_source_that_begins_anew(sample: Any) -> None:
    with streams() as served, LiveStream(f"{served.url}m", game="smb", group=8) as stream:
        port = served.port
        send(stream, sample, range(10))
        assert stream.publisher.wait(5)
        watcher = Watcher(f"http://127.0.0.1:{port}/m", last(FRAMES))
        until(lambda: watcher.seen)
        other = contextlib.ExitStack()
        served.stop()
        other.enter_context(streams(port=port))
        with other:
            until(lambda: stream.publisher.connections == 2)
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


@pytest.mark.parametrize(
    ("url", "part"),
    [("mario", "expected the address"), ("ftp://a/b", "expected the address"), ("http://:80/b", "expected the address"),
     ("http://a:99999/b", "expected the address"), ("http://a/", "stream's name"), ("http://a/..", "stream's name"),
     ("http://a/b c", "stream's name"), ("http://u:p@a/b", "expected the address"), ("http://a/b?t=1", "the address"),
     (f"http://a/{'n' * 65}", "stream's name"), ("http://[::1/b", "expected the address")],
)  # fmt: skip
def test_addresses_that_are_none(url: str, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        address_of(url, "live")


def test_addresses() -> None:
    assert address_of("https://a.b:1/x/live/n", "publish") == "wss://a.b:1/x/publish/n"
    assert address_of("http://[::1]:8000/n", "live") == "ws://[::1]:8000/live/n"


def test_tokens_of_publishers_and_of_viewers(sample: Any) -> None:
    with streams(publish="öffnen", token="sehen") as served:
        for token in ("", "falsch"):
            with (
                pytest.raises(CodecError, match="token is missing or wrong"),
                LiveStream(f"{served.url}m", token=token) as stream,
            ):
                until(lambda stream=stream: stream.publisher.failure)
                stream.frame(np.zeros((8, 8, 3), np.uint8))
        with pytest.raises(UsageError, match="refuses"):
            next(watch(f"{served.url}m", "falsch"))
        assert served.get("/live.json")[0] == served.get("/")[0] == served.get("/metrics?token=falsch")[0] == 401
        assert served.get("/live.json", Authorization="Bearer sehen")[0] == 200
        status, headers, _ = served.get("/?lang=ko&token=sehen")
        assert status == 303 and headers["location"] == "/?lang=ko" and "httponly" in headers["set-cookie"].lower()
        cookie = headers["set-cookie"].split(";")[0]
        assert served.get("/", Cookie=cookie)[0] == 200 and served.get("/", Cookie="hst-token=x")[0] == 401
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(streams(publish=None))
        stack.enter_context(pytest.raises(CodecError, match="nobody may publish"))
        stream = stack.enter_context(LiveStream(f"{served.url}m"))
        until(lambda: stream.publisher.failure)
        stream.frame(np.zeros((8, 8, 3), np.uint8))


def test_foreign_pages_and_names_cannot_open_a_stream() -> None:
    from websockets.exceptions import InvalidStatus

    with streams() as served:
        for path in ("live", "publish"):
            for headers in (
                {"Origin": "http://evil.example"},
                {"Origin": "null"},
                {"Host": "evil.example"},
                {"Origin": f"http://127.0.0.1:{served.port + 1}"},
            ):
                with pytest.raises(InvalidStatus), _open(served.port, path, headers):
                    pass
        with pytest.raises(InvalidStatus), _open(served.port, "other", {}):
            pass
        with _open(served.port, "publish", {"Origin": f"http://127.0.0.1:{served.port}"}):
            pass


def _open(port: int, path: str, headers: dict[str, str]) -> Any:
    from websockets.sync.client import connect as open_

    held = socket.create_connection(("127.0.0.1", port))
    host = headers.pop("Host", f"127.0.0.1:{port}")
    return open_(f"ws://{host}/{path}/x", sock=held, additional_headers=headers, proxy=None, compression=None)


def test_what_is_no_stream_ends_the_connection_and_not_the_server() -> None:
    from websockets.exceptions import ConnectionClosed

    good = Begun(0, 0, 0).pack()
    with streams() as served:
        for data in (b"", good, Coded(0, 0, b"x").pack(), b"\xff" * 100, b"\x01" + bytes(40), "text"):
            with connect(f"ws://127.0.0.1:{served.port}/publish/x", "") as connection:
                connection.recv(timeout=5)
                with pytest.raises(ConnectionClosed) as closed:
                    connection.send(data)
                    connection.recv(timeout=5)
                assert closed.value.rcvd is not None and closed.value.rcvd.code == 4400 and closed.value.rcvd.reason
        with (
            connect(f"ws://127.0.0.1:{served.port}/live/x", "") as connection,
            pytest.raises(ConnectionClosed) as closed,
        ):
            connection.send(b"\xff")
            connection.recv(timeout=5)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4400
        for name, code in (("a%20b", 4404), ("nobody", 4404), ("%2e%2e", 4404)):
            with (
                connect(f"ws://127.0.0.1:{served.port}/live/{name}", "") as connection,
                pytest.raises(ConnectionClosed) as closed,
            ):
                connection.recv(timeout=5)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == code
        assert served.get("/metrics")[0] == 200


def test_two_cannot_publish_one_stream(sample: Any) -> None:
    with streams() as served, LiveStream(f"{served.url}m", game="smb") as first:
        send(first, sample, range(3))
        assert first.publisher.wait(5)
        with connect(f"ws://127.0.0.1:{served.port}/publish/m", "") as connection:
            from websockets.exceptions import ConnectionClosed

            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=5)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4409
        send(first, sample, range(3, 6))
        assert first.publisher.wait(5)


def test_pictures_that_no_stream_takes() -> None:
    with streams() as served, LiveStream(f"{served.url}m") as stream:
        for picture in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint8)):
            with pytest.raises(DataError, match="picture"):
                stream.frame(picture)
        with pytest.raises(DataError):
            stream.frame(np.zeros((4, 9000, 3), np.uint8))
        stream.frame(np.zeros((4, 4, 3), np.uint8))


def test_figures_for_prometheus(sample: Any) -> None:
    with streams() as served, LiveStream(f"{served.url}m", game="smb") as stream:
        send(stream, sample, range(4))
        assert stream.publisher.wait(5)
        text = served.get("/metrics")[2].decode()
        assert 'hstmae_stream_frames_total{stream="m"} 4' in text and 'hstmae_stream_publishing{stream="m"} 1' in text
        for line in text.splitlines():
            assert line.startswith("# ") or float(line.rsplit(" ", 1)[1]) >= 0
