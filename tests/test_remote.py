"""Files in object stores: read by ranges, fetched and put whole; against an S3 server on this machine."""

from __future__ import annotations

import os
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae import cli
from hstmae.bundled import SAMPLES
from hstmae.codec.session.as_store import HstStore
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.data import Episode
from hstmae.errors import DataError, HstError, UsageError
from hstmae.games import get_game
from hstmae.remote.files import Ranges, file_system, url_of


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Address of a folder in a store: S3 by moto where it is here, else in the memory of this process."""
    pytest.importorskip("fsspec")
    try:
        import s3fs  # noqa: F401
        from moto.server import ThreadedMotoServer
    except ImportError:
        yield f"memory://{uuid.uuid4().hex}"
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    known = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
             "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    before = dict(os.environ)
    os.environ |= known
    fs, _ = file_system("s3://sessions")
    fs.mkdir("sessions")
    yield "s3://sessions"
    os.environ.clear()
    os.environ |= before
    server.stop()


@pytest.fixture(scope="module")
def base(bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x.hst, of several episodes in small groups, here and there; small pictures here, and small.hst of them."""
    folder = tmp_path_factory.mktemp("remote")
    for k in range(4):
        (folder / "small" / f"film{k}").mkdir(parents=True)
        for t in range(2):
            Image.new("RGB", (16, 16), (60 * k, 90 * t, 7)).save(folder / "small" / f"film{k}" / f"{t:02}.png")
    assert run("encode", folder / "small", folder / "small.hst", "--workers", 1) == 0
    draw, spec = np.random.default_rng(0), get_game("smb")
    shown = np.array(spec.shown_entries)
    with HstWriter(folder / "x.hst") as writer:
        for k in range(3):
            rows = draw.choice(shown, (6, 240, 1)).astype(np.uint8)
            episode = Episode(
                f"film{k}", "smb", np.broadcast_to(rows, (6, 240, 256)).copy(), spec.palette,
                draw.integers(0, 256, (6, 2048), np.uint8), None, np.zeros(6, np.uint8), np.arange(6, dtype=np.int32),
            )  # fmt: skip
            writer.add(make_profile("lossless", "smb"), episode, gop=3)
    fs, place = file_system(f"{bucket}/x.hst")
    fs.put_file(str(folder / "x.hst"), place)
    return folder


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://a/b.hst", "s3://a/b.hst"), ("s3:/a/b.hst", "s3://a/b.hst"), ("hf://datasets/u/d/x", "hf://datasets/u/d/x"),
        ("gs:/a", "gs://a"), ("a/b.hst", None), ("/s3:/a", None), ("C:/a", None), ("http://a/b", None), ("s3:a", None),
    ],
)  # fmt: skip
def test_addresses(text: str, url: str | None) -> None:
    assert url_of(text) == url and url_of(Path(text)) == url


def test_one_frame_takes_three_requests(base: Path, bucket: str) -> None:
    for source in (f"{bucket}/x.hst", Path(f"{bucket}/x.hst")):
        with HstReader(source) as far, HstReader(base / "x.hst") as near:
            for at in (8, 17):
                assert np.array_equal(far[at].pixels, near[at].pixels)
            requests, fetched = far.fetched
            assert requests <= 5 and fetched < 30_000, far.fetched
    with HstReader(f"{bucket}/x.hst") as far:
        frame = far[8]
        requests, fetched = far.fetched
        assert (frame.episode, frame.index) == ("film1", 2)
        assert requests <= 3 and fetched <= 30_000 < (base / "x.hst").stat().st_size
        assert far[8] and far.fetched == (requests, fetched)  # it is here now


def test_all_of_it_is_the_same(base: Path, bucket: str) -> None:
    with HstReader(f"{bucket}/x.hst") as far, HstReader(base / "x.hst") as near:
        assert [d.name for d in far.episodes()] == [d.name for d in near.episodes()] and len(far) == len(near)
        for k in range(len(near.entries)):
            assert np.array_equal(far.episode(k).frames, near.episode(k).frames)
        assert bytes(far.data) == bytes(near.data)
        again = pickle.loads(pickle.dumps(far))
        assert again.fetched[1] < 20_000 and np.array_equal(again[3].pixels, near[3].pixels)
        again.close()


def test_clips_come_from_there(base: Path, bucket: str) -> None:
    far, near = HstStore(f"{bucket}/x.hst"), HstStore(base / "x.hst")
    assert far.hash == near.hash
    assert np.array_equal(far.column(2, "frames", np.arange(5)), near.column(2, "frames", np.arange(5)))
    assert pickle.loads(pickle.dumps(far)).hash == near.hash


def test_commands_read_and_write_there(
    base: Path, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", f"{bucket}/x.hst") == 0
    target = f"{bucket}/again.hst"
    assert run("encode", base / "small", target, "--workers", 1) == 0
    fs, place = file_system(target)
    assert fs.cat_file(place) == (base / "small.hst").read_bytes()
    capsys.readouterr()
    assert run("encode", base / "small", target) == 2 and "--overwrite" in capsys.readouterr().err
    assert (
        run("decode", f"{bucket}/x.hst", f"{bucket}/frames", "--to", "png", "--episode", "film1", "--workers", 1) == 0
    )
    names = [name for name in fs.find(file_system(f"{bucket}/frames")[1]) if name.endswith(".png")]
    assert len(names) == 6
    for k in (1, 2):
        words = ("encode", base / "small", f"{bucket}/p{k}.hst", "--workers", 1, "--part", f"{k}/2")
        assert run(*words) == 0
        capsys.readouterr()
        assert run(*words) == 0 and "is done already" in capsys.readouterr().out
    assert run("join", tmp_path / "joined.hst", f"{bucket}/p1.hst", f"{bucket}/p2.hst") == 0
    assert (tmp_path / "joined.hst").read_bytes() == (base / "small.hst").read_bytes()


def test_what_fails_leaves_nothing_there(base: Path, bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ("verify", f"{bucket}/absent.hst"), ("info", f"{bucket}/absent/x.hst"),
        ("encode", f"{bucket}/absent", f"{bucket}/no.hst"), ("encode", SAMPLES / "README.md", f"{bucket}/no.hst"),
    ):  # fmt: skip
        assert run(*words) == 2
        told = capsys.readouterr().err
        assert "error: " in told and "Traceback" not in told
    fs, place = file_system(f"{bucket}/no.hst")
    assert not fs.exists(place)
    with pytest.raises(HstError):
        HstReader(f"{bucket}/absent.hst")


def test_damage_and_change_are_noticed(base: Path, bucket: str, tmp_path: Path) -> None:
    whole = (base / "x.hst").read_bytes()
    fs, place = file_system(f"{bucket}/bad.hst")

    def put(data: bytes) -> None:
        fs.pipe_file(place, data)

    with HstReader(base / "x.hst") as reader:
        offset = reader.entries[1].gops[1][0]
    put(whole[: offset + 40] + bytes([whole[offset + 40] ^ 1]) + whole[offset + 41 :])
    with HstReader(f"{bucket}/bad.hst") as far, pytest.raises(HstError, match="film1"):
        far[9]
    put(whole[:-30])  # without its end: found by looking at all of it
    with HstReader(f"{bucket}/bad.hst") as far:
        assert len(far) == 18 and not far.contents.indexed
    put(b"nothing of the kind")
    with pytest.raises(HstError):
        HstReader(f"{bucket}/bad.hst")
    put(whole)
    with HstReader(f"{bucket}/bad.hst") as far:
        put(whole[:5000])
        with pytest.raises(DataError, match=r"changed|cannot be"):
            far.episode(2)


def test_ranges_are_fetched_once(bucket: str, base: Path) -> None:
    found = Ranges(f"{bucket}/x.hst")
    whole = (base / "x.hst").read_bytes()
    draw = np.random.default_rng(0)
    for _ in range(60):
        a, b = sorted(draw.integers(0, len(whole), 2).tolist())
        found.need(a, b)
        assert bytes(found.data[a:b]) == whole[a:b]
    found.need(0, len(whole))
    assert found.fetched == len(whole)
    found.close()


def test_what_is_missing_is_said() -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(UsageError, match="library"):
        file_system("abfs://container/x")
