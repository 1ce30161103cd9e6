"""What is said on the wire comes back as it was said, and nothing else is taken for it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmae.errors import CodecError
from hstmae.live.log import KEPT, Log
from hstmae.live.messages import (
    ACK,
    HAVE,
    MAX_MESSAGE,
    MAX_SAYING,
    Beat,
    Begun,
    Coded,
    Described,
    Ended,
    Finished,
    Message,
    Missed,
    Place,
    Statistics,
    unpack,
)

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Described, st.integers(1, 2**32 - 1), st.binary(max_size=50)),
    st.builds(Begun, U32, U32, U64),
    st.builds(Coded, st.integers(0, 1023), U32, st.binary(max_size=50)),
    st.builds(Ended, st.binary(min_size=8, max_size=8)),
    st.builds(Finished, st.text(max_size=20)),
    st.builds(Statistics, st.dictionaries(st.text(max_size=9), st.text(max_size=9) | st.integers(-9, 9), max_size=4)),
    st.builds(Beat, U64, st.booleans()),
    st.builds(Missed, U32),
    st.builds(Place, U32, U32, st.integers(0, 2**16 - 1), st.sampled_from([HAVE, ACK])),
)


@given(MESSAGES)
def test_every_message_comes_back(message: Message) -> None:
    assert unpack(message.pack()) == message


@given(
    st.binary(max_size=40)
    | MESSAGES.flatmap(
        lambda m: st.tuples(st.just(m.pack()), st.integers(0, 60), st.integers(0, 255)).map(
            lambda t: t[0][: t[1]] + bytes([t[2]])
        )
    )
)
def test_anything_else_is_an_error_or_a_message_and_never_a_traceback(data: bytes) -> None:
    try:
        message = unpack(data)
    except CodecError:
        return
    assert isinstance(message, Message)
    if isinstance(message, Described):
        with pytest.raises(CodecError):
            message.description()


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x00", b"\xff", bytes([3]) * (MAX_MESSAGE + 1), bytes([6]) + b"1" * (MAX_SAYING + 1)),
        *(b"\x06[]", b'\x06{"a":[1]}', b'\x06{"a":true}', b'\x06{"a":NaN}', b"\x06" + b"[" * 3000),
        *(b"\x03\x80\x80\x80\x80\x80\x01", b"\x03\xff\x7f\x00", b"\x01\0\0\0\0chunk"),
    ],
)
def test_what_no_publisher_may_say(data: bytes) -> None:
    with pytest.raises(CodecError):
        unpack(data)


def _said(log: Log, message: Message) -> bool:
    return log.add(message, message.pack())


def _log(monkeypatch: pytest.MonkeyPatch) -> Log:
    description = type("Description", (), {"gop": 4})()
    monkeypatch.setattr(Described, "description", lambda self: description)
    log = Log()
    assert _said(log, Described(7, b"")) and not _said(log, Described(7, b""))
    return log


def test_who_joins_or_comes_back_gets_the_rest_once(monkeypatch: pytest.MonkeyPatch) -> None:
    log = _log(monkeypatch)
    assert log.since(Place(0, 0, 0)) == [Described(7, b"").pack()] and log.since(Place(7, 0, 0)) == []
    said: list[tuple[Place, bytes]] = []
    for group in range(KEPT + 2):
        for message in (
            Begun(group, 4 * group, 0),
            *(Coded(k, k, bytes([group, k])) for k in range(4)),
            Ended(bytes(8)),
        ):
            assert _said(log, message)
            said.append((log.place, message.pack()))
    everything = [message for _, message in said]
    for n, (place, _) in enumerate(said):  # whoever has come so far gets what followed, where it is still here
        rest = everything[n + (everything[n][0] != 2) :]  # a group without frames is no place to have come to
        newest = everything[-6:]
        first = struct.unpack_from("<I", rest[0], 1)[0] if rest and rest[0][0] == 2 else place.group
        assert log.since(place) == (rest if first >= 2 else newest), place
    assert log.since(Place(8, 0, 0)) == [Described(7, b"").pack(), *everything[-6:]]
    assert log.since(Place(7, 999, 3)) in ([], everything[-6:])
    assert not _said(log, Coded(2, 0, b"")) and not _said(
        log, Ended(bytes(8))
    )  # said again by a publisher that is back


@pytest.mark.parametrize(
    "messages",
    [
        [Begun(0, 0, 0)],  # no description
        [None, Coded(0, 0, b"")],
        [None, Ended(bytes(8))],
        [None, Begun(0, 0, 0), Ended(bytes(8))],  # without frames
        [None, Begun(0, 0, 0), Coded(1, 0, b"")],
        [None, Begun(0, 0, 0), *(Coded(k, 0, b"") for k in range(5))],  # more than a group holds
        [None, Begun(0, 0, 0), Coded(0, 0, b""), Ended(bytes(8)), Coded(1, 0, b"")],
        [None, Begun(5, 0, 0), Coded(0, 0, b""), Begun(4, 1, 0)],
        [None, Begun(5, 9, 0), Coded(0, 0, b""), Begun(6, 9, 0)],  # numbers that do not ascend
        [None, Begun(5, 2**31, 0)],
        [None, Missed(3)],
        [None, Place(1, 1, 1)],
    ],
)
def test_streams_that_make_no_sense_are_refused(
    messages: list[Message | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = _log(monkeypatch) if messages[0] is None else Log()
    with pytest.raises(CodecError):
        for message in messages:
            if message is not None:
                _said(log, message)


def test_much_waits_in_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    log = _log(monkeypatch)
    log._limit = 1000
    for group in range(3):
        for message in (Begun(group, group, 0), Coded(0, 0, bytes(900))):
            _said(log, message)
    assert [group.number for group in log.groups] == [2]
