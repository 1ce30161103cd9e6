"""Films and folders of pictures: every frame arrives, and what is wrong is told instead of packed."""

from __future__ import annotations

import contextlib
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from synthetic_episodes import make_episode, write_episodes

from hstmae import cli
from hstmae.data import EpisodeStore
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.sources.side_file import SideData, read_side_file
from hstmae.data.sources.video import VideoOptions, find_videos, natural_order
from hstmae.data.store.building import StoreSummary
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
from hstmae.errors import DataError, HstError, UsageError

FAST = Packing(level=1)


def moving(count: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Smooth coloured pictures [T, H, W, 3] that survive a lossy codec, each of another brightness."""
    y, x = np.indices(size)
    t = np.arange(count)[:, None, None]
    channels = [x * 2 + t * 5, y * 3 + t * 2, np.broadcast_to(40 + 6 * t, (count, *size))]
    return np.stack(channels, -1).clip(0, 255).astype(np.uint8)


def write_film(
    path: Path, pictures: np.ndarray, fps: int = 25, stamps: list[int] | None = None, codec: str = "mpeg4"
) -> Path:
    """A film; `stamps` are the times of the frames in 1/1000 s instead of a constant rate."""
    av = pytest.importorskip("av", reason="films need PyAV: pip install 'hstmae[video]'")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.bit_rate = 4_000_000
        stream.width, stream.height = pictures.shape[2], pictures.shape[1]
        stream.pix_fmt = {"gif": "rgb8", "ffv1": "bgr0"}.get(codec, "yuv420p")
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[k], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_pictures(folder: Path, pictures: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for k, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"shot{k}.png")
    return folder


def pack(folder: Path, out: Path, **options: object) -> tuple[EpisodeStore, StoreSummary]:
    summary = preprocess(
        folder, out, game="generic", workers=1, packing=FAST, val_fraction=0, video=VideoOptions(**options)
    )  # type: ignore[arg-type]
    return EpisodeStore(out), summary


def reasons(store: EpisodeStore) -> list[str]:
    return [json.loads(line)["reason"] for line in (store.path / "problems.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name,codec", [("a.mp4", "mpeg4"), ("a.mkv", "mpeg4"), ("a.webm", "libvpx"), ("a.gif", "gif")])
def test_films_arrive_frame_by_frame(tmp_path: Path, name: str, codec: str) -> None:
    pictures = moving(20)
    write_film(tmp_path / "in" / "deep" / name, pictures, codec=codec)
    store, summary = pack(tmp_path / "in", tmp_path / "out")
    episode = store[0]
    assert (episode.name, episode.game, len(episode), summary.left_out) == ("deep__a", "generic", 20, 0)
    assert episode.frames.shape == pictures.shape and episode.palette is None and episode.state is None
    assert store.info(0).runs == ((0, 20),) and episode.fps == pytest.approx(25, rel=0.01)
    error = np.abs(episode.frames[:, None].astype(np.int16) - pictures[None]).mean((2, 3, 4))
    places = error.argmin(1) - np.arange(20)  # each frame resembles its own original most; gif has 256 colours only
    assert np.abs(places).max() <= (2 if codec == "gif" else 0) and error.diagonal().max() < 25
    assert store.meta["source"]["kind"] == "video" and store.verify() == []


def test_a_lossless_film_arrives_bit_for_bit_and_scaled_on_request(tmp_path: Path) -> None:
    pictures = moving(6)
    write_film(tmp_path / "in" / "a.mkv", pictures, codec="ffv1")
    store, _ = pack(tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(store[0].frames, pictures)
    small, summary = pack(tmp_path / "in", tmp_path / "out", resize=32)  # other options pack the episode again
    assert small[0].frames.shape == (6, 32, 32, 3) and summary.replaced == 1
    again = preprocess(tmp_path / "in", tmp_path / "out", game="generic", workers=1, packing=FAST, val_fraction=0,
                       video=VideoOptions(resize=32))  # fmt: skip
    assert (again.kept, again.hash) == (1, small.hash)


def test_pictures_come_in_natural_order_and_leave_gaps(tmp_path: Path) -> None:
    pictures = moving(12)
    folder = write_pictures(tmp_path / "in", pictures)
    (folder / "shot3.png").write_bytes((folder / "shot3.png").read_bytes()[:60])
    Image.fromarray(pictures[5][:20]).save(folder / "shot5.png")
    (folder / "shot7.png").unlink()
    (folder / "shot7.png").symlink_to("nowhere")
    store, summary = pack(tmp_path / "in", tmp_path / "out", fps=12.5)
    episode = store[0]
    kept = [0, 1, 2, 4, 6, 8, 9, 10, 11]
    np.testing.assert_array_equal(episode.frames, pictures[kept])
    assert episode.frame_numbers.tolist() == kept and episode.fps == 12.5 and episode.name == "in"
    assert summary.left_out == 3 and any("--resize" in r for r in reasons(store))


def test_natural_order() -> None:
    names = ["b1.png", "a10.png", "a2.png", "a.png", "2.png", "10.png"]
    assert sorted(names, key=natural_order) == ["2.png", "10.png", "a2.png", "a10.png", "a.png", "b1.png"]


@pytest.mark.parametrize("form", ["npz", "jsonl"])
def test_side_files_go_along(tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(0)
    state, actions = rng.integers(0, 256, (9, 5), np.uint8), rng.integers(0, 256, 9)
    write_pictures(tmp_path / "in" / "a", moving(9))
    if form == "npz":
        np.savez(tmp_path / "in" / "a.npz", state=state.astype(np.int64), actions=actions)
    else:
        rows = [{"state": s.tolist() if k % 2 else s.tobytes().hex(), "action": int(a)}
                for k, (s, a) in enumerate(zip(state, actions, strict=True))]  # fmt: skip
        (tmp_path / "in" / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    store, _ = pack(tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(store[0].state, state)
    np.testing.assert_array_equal(store[0].actions, actions)
    clip = ClipDataset(store, clip=4, stride=2, crop=32).random(3)
    assert clip.frames.shape == (4, 32, 32, 3) and clip.state is None  # memory nobody can read stays in the store


def test_a_side_file_of_another_length_or_two_of_them_leave_the_episode_out(tmp_path: Path) -> None:
    for name in "abc":
        write_pictures(tmp_path / "in" / name, moving(4))
    np.savez(tmp_path / "in" / "a.npz", actions=np.zeros(5, int))
    np.savez(tmp_path / "in" / "b.npz", actions=np.zeros(4, int))
    (tmp_path / "in" / "b.jsonl").write_text('{"action": 0}\n' * 4)
    store, summary = pack(tmp_path / "in", tmp_path / "out")
    assert [info.name for info in store.infos()] == ["c"] and summary.left_out == 2
    assert any("5 frames" in r for r in reasons(store)) and any("keep one" in r for r in reasons(store))
    with pytest.raises(DataError, match="side file"):
        preprocess(tmp_path / "in", tmp_path / "strict", game="generic", workers=1, on_error="fail")


def test_a_film_and_its_side_file_must_agree(tmp_path: Path) -> None:
    (tmp_path / "side").mkdir()
    for name, count in (("short", 7), ("long", 9), ("right", 8)):
        write_film(tmp_path / "in" / f"{name}.mp4", moving(8))
        np.savez(tmp_path / "side" / f"{name}.npz", actions=np.arange(count))
    store, summary = pack(tmp_path / "in", tmp_path / "out", side=tmp_path / "side")
    assert [info.name for info in store.infos()] == ["right"] and summary.left_out == 2
    assert store[0].actions.tolist() == list(range(8))


def test_side_files_in_folders_that_mirror_those_of_the_input(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pictures(tmp_path / "in" / "deep" / name, moving(4))
    (tmp_path / "side" / "deep").mkdir(parents=True)
    np.savez(tmp_path / "side" / "deep" / "a.npz", actions=np.arange(4))
    store, _ = pack(tmp_path / "in", tmp_path / "out", side=tmp_path / "side")
    assert [info.name for info in store.infos()] == ["deep__a"] and store[0].actions.tolist() == [0, 1, 2, 3]
    assert any("nor deep/b.npz" in reason for reason in reasons(store))


def test_variable_frame_rates_are_kept_and_told(tmp_path: Path) -> None:
    stamps = [0, 40, 80, 120, 290, 330, 370, 410, 450, 490]
    write_film(tmp_path / "in" / "a.mkv", moving(10), stamps=stamps)
    write_film(tmp_path / "in" / "b.mkv", moving(10), stamps=[40 * k for k in range(10)])
    store, summary = pack(tmp_path / "in", tmp_path / "out")
    assert [(info.name, info.frames) for info in store.infos()] == [("a", 10), ("b", 10)] and summary.left_out == 0
    assert store["a"].fps == pytest.approx(9 / 0.49) and store["b"].fps == 25
    assert [r for r in reasons(store) if "varying times" in r] == [
        "frames come at varying times: only their order and mean rate, 18.367 per second, are kept"
    ]


def test_broken_films_are_told(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "in" / "whole.mkv", moving(60)).read_bytes()
    (tmp_path / "in" / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in" / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(4000))
    (tmp_path / "in" / "empty.webm").write_bytes(b"")
    store, summary = pack(tmp_path / "in", tmp_path / "out")
    assert [info.name for info in store.infos()] == ["cut", "whole"] and summary.left_out == 3
    cut, full = store["cut"], store["whole"]
    assert 5 < len(cut) < 60 and len(full) == 60
    np.testing.assert_array_equal(cut.frames, full.frames[: len(cut)])
    with pytest.raises(DataError, match="nothing usable"):
        pack(tmp_path / "in" / "noise.mp4", tmp_path / "none")


def test_flipped_bits_never_raise_anything_untyped(tmp_path: Path) -> None:
    whole = bytearray(write_film(tmp_path / "in" / "a.mp4", moving(12)).read_bytes())
    rng = np.random.default_rng(5)
    for round_ in range(30):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
        end = int(rng.integers(1, len(damaged))) if round_ % 2 else len(damaged)
        (tmp_path / "in" / "a.mp4").write_bytes(damaged[:end])
        problems: list[object] = []
        try:
            (episode,) = find_videos(tmp_path / "in", VideoOptions())
            for frame in episode.frames(problems.append, {}):
                assert frame.pixels.dtype == np.uint8 and frame.pixels.ndim == 3
        except HstError:
            pass


@settings(max_examples=60)
@given(cut=st.integers(0, 2000), flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 7)), max_size=4),
       form=st.sampled_from(["npz", "jsonl"]))  # fmt: skip
def test_damaged_side_files_raise_typed_errors(tmp_path_factory, cut: int, flips: list, form: str) -> None:
    path = tmp_path_factory.mktemp("side") / f"a.{form}"
    if form == "npz":
        np.savez(path, state=np.zeros((3, 4), np.uint8), actions=np.arange(3))
    else:
        path.write_text('{"state": [1, 2], "action": 3}\n' * 5)
    data = bytearray(path.read_bytes())
    for at, bit in flips:
        data[at % len(data)] ^= 1 << bit
    path.write_bytes(data[: len(data) - cut % len(data)])
    with contextlib.suppress(HstError):
        assert isinstance(read_side_file(path, None), SideData)


@pytest.mark.parametrize(
    "text,reason",
    [
        ("", "neither"),
        ("[1]", "not an object"),
        ('{"action": 256}', "0 .. 255"),
        ('{"action": true}', "0 .. 255"),
        ('{"state": [1, 300]}', "range"),
        ('{"state": "0g"}', "hex"),
        ('{"state": [1]}\n{"state": [1, 2]}', "2 bytes of state, 1 before"),
        ('{"action": 1}\n{"state": [1]}', "every entry or in none"),
        ('{"action": 1', "entry 1"),
    ],
)
def test_odd_side_files_say_what_is_wrong(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=reason):
        read_side_file(path, None)


def test_side_files_must_fit_the_game(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", state=np.zeros((3, 4), np.uint8))
    assert read_side_file(tmp_path / "a.npz", 4).actions is None
    with pytest.raises(DataError, match="4 bytes of state per frame; the game has 128"):
        read_side_file(tmp_path / "a.npz", 128)
    np.savez(tmp_path / "b.npz", state=np.full((3, 4), 0.5))
    with pytest.raises(DataError, match="whole numbers"):
        read_side_file(tmp_path / "b.npz", None)


def test_palette_footage_is_not_scaled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_episodes(tmp_path / "in", make_episode(3))
    with pytest.raises(UsageError, match="palette"):
        preprocess(tmp_path / "in", tmp_path / "out", video=VideoOptions(resize=224))
    assert not (tmp_path / "out").exists()
    command = ["preprocess", "--input_dir", str(tmp_path / "in"), "--output_dir", str(tmp_path / "out")]
    assert cli.main([*command, "--resize", "224"]) == 2
    assert "--game generic" in capsys.readouterr().err


def test_the_command_packs_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(tmp_path / "in", moving(5))
    command = ["preprocess", "--input_dir", str(tmp_path / "in"), "--output_dir", str(tmp_path / "out")]
    assert cli.main([*command, "--game", "generic", "--resize", "32", "--workers", "1", "--val-fraction", "0"]) == 0
    assert "5," in capsys.readouterr().out
    assert EpisodeStore(tmp_path / "out")[0].frames.shape == (5, 32, 32, 3)
    assert cli.main(["preprocess", "--input_dir", str(tmp_path / "no"), "--output_dir", "x", "--game", "generic"]) == 2


def test_large_pictures_come_in_small_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hstmae.data.store.writer.MAX_FRAME_GROUP_BYTES", 30_000)
    pictures = moving(7)
    write_pictures(tmp_path / "in", pictures)  # 9,216 bytes each
    store, _ = pack(tmp_path / "in", tmp_path / "out")
    assert store.info(0).columns["frames"].group == 3
    np.testing.assert_array_equal(store[0].frames, pictures)
