"""Who may not publish or watch, and what no stream is."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import make_golden
import numpy as np
import pytest

from hstmae.errors import CodecError, DataError, UsageError
from hstmae.live import publisher
from hstmae.live.messages import Begun, Coded
from hstmae.live.publisher import address_of, connect
from hstmae.live.sending import LiveStream
from hstmae.live.watching import watch

pytest.importorskip("websockets", reason='the extra "serve" is needed')


from streaming import FRAMES, all_sent, send, streams, until


@pytest.fixture(scope="module")
def sample() -> Any:
    return make_golden.sample(FRAMES)


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
        all_sent(first)
        with connect(f"ws://127.0.0.1:{served.port}/publish/m", "") as connection:
            from websockets.exceptions import ConnectionClosed

            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=5)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4409
        send(first, sample, range(3, 6))
        all_sent(first)


def test_what_connects_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher.importlib.util, "find_spec", lambda name: None)
    for use in (lambda: next(watch("http://127.0.0.1:9/x")), lambda: LiveStream("http://127.0.0.1:9/x")):
        with pytest.raises(UsageError, match="hstmae\\[serve\\]"):
            use()


def test_pictures_that_no_stream_takes() -> None:
    with streams() as served, LiveStream(f"{served.url}m") as stream:
        for picture in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint8)):
            with pytest.raises(DataError, match="picture"):
                stream.frame(picture)
        with pytest.raises(DataError):
            stream.frame(np.zeros((4, 9000, 3), np.uint8))
        stream.frame(np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize("text", [b"\xff\xfe", "öffnen".encode()])
def test_text_is_refused_like_any_message_that_makes_no_sense(
    text: bytes, sample: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """All that is said is binary; with the closing frame right behind it, as one who attacks would send it."""
    said = bytes([0x81, 0x80 | len(text)]) + bytes(4) + text  # masked by nothing
    with streams() as served, LiveStream(f"{served.url}m", game="smb") as stream:
        send(stream, sample, range(2))
        all_sent(stream)
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
            client.sendall(
                b"GET /live/m HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert b" 101 " in client.recv(65536)
            client.sendall(said + b"\x88\x80" + bytes(4))
            while client.recv(65536):  # until it is closed
                pass
        assert served.get("/live.json")[0] == 200
    assert not [record for record in caplog.records if record.exc_info]
