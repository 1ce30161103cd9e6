"""`hstmae bench codec`: what it says is what the files take, and nothing that does not come back is measured."""

from __future__ import annotations

import json
import lzma
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hstmae import cli
from hstmae.bench import general, own
from hstmae.bench.clips import Clip
from hstmae.bench.lossy import Point, bytes_at
from hstmae.bundled import SAMPLES
from hstmae.codec.session.reader import HstReader
from hstmae.data.episode import Episode

FRAMES = 4


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (source,) = (p for p in (SAMPLES / "sample_session").iterdir() if p.is_dir())
    folder = tmp_path_factory.mktemp("in") / source.name
    folder.mkdir()
    for path in sorted(source.glob("*.png"))[:FRAMES]:
        shutil.copy(path, folder)
    return folder


def run(*words: object) -> int:
    return cli.main([str(word) for word in ("bench", "codec", *words)])


def rows(report: dict[str, Any], method: str, access: str) -> dict[str, float]:
    found = [row for row in report["lossless"] if (row["method"], row["access"]) == (method, access)]
    return {f"{row['given']}, {row['holds']}": row["bytes_per_frame"] for row in found}


def test_figures_are_those_of_the_files(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, path, plot = tmp_path / "r.json", tmp_path / "x.hst", tmp_path / "x.png"
    words = ("--gop", "2,0", "--profiles", "lossless,live", "--peers", "xz,png", "--json", report)
    pytest.importorskip("matplotlib")
    assert run(session, *words, "--plot", plot) == 0
    told, value = capsys.readouterr().out, json.loads(report.read_text())
    assert value["clips"][0]["frames"] == FRAMES and plot.read_bytes()[:4] == b"\x89PNG"
    assert value["original_bytes_per_frame"]["RGB"] == 3 * 256 * 240
    assert cli.main(["encode", str(session), str(path), "--gop", "2", "--no-files", "--workers", "1"]) == 0
    everything = rows(value, "HST lossless", "2 frames")["index, pictures, memory, buttons"]
    said = path.stat().st_size - FRAMES * everything  # of the source, its signature and its lag
    assert 0 < said < 250
    with HstReader(path) as reader:
        frames = reader.episode(0).frames
    for access, groups in (("2 frames", [frames[:2], frames[2:]]), ("–", [frames])):
        packed = [lzma.compress(g.tobytes(), check=lzma.CHECK_NONE, preset=9 | lzma.PRESET_EXTREME) for g in groups]
        assert rows(value, "xz -9e", access)["index, pictures"] == sum(map(len, packed)) / FRAMES
    (best, _, _, _) = value["against"]
    assert best["RGB"]["best"] != best["all"]["best"] and f"{best['RGB']['ratio']:.2f} of" in told
    png = rows(value, "PNG", "1 frame")["index, pictures"]
    assert value["original_bytes_per_frame"]["PNG"] == png and "left out" not in told


def test_video_codecs_and_films(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    av = pytest.importorskip("av")
    path, report = tmp_path / "x.mp4", tmp_path / "r.json"
    scene = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for k in range(16):
            picture = np.ascontiguousarray(scene[:, 2 * k : 2 * k + 64])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    words = ("--frames", 6, "--gop", 8, "--profiles", "video", "--peers", "x264,ffv1", "--json", report)
    assert run(path, *words, "--lossy", "28,34") == 0
    value, told = json.loads(report.read_text()), capsys.readouterr().out
    assert value["clips"][0]["frames"] == 6 and {row["given"] for row in value["lossless"]} == {"RGB", "film"}
    film = rows(value, "HST video, as it is", "key frames")["film, the film's file"]
    assert 16 * film == pytest.approx(path.stat().st_size, rel=0.1)  # all of it
    (ours,) = (row for row in value["lossy"] if row["codec"].startswith("HST video, h264"))
    assert ours["bytes_at"][0] < ours["bytes_at"][1] < film and min(p["psnr"] for p in ours["points"][0]) >= 28
    (peer,) = (row for row in value["lossy"] if row["codec"] == "x264 veryslow")
    assert [p["bytes"] for p in peer["points"][0]] == sorted((p["bytes"] for p in peer["points"][0]), reverse=True)
    assert "x264 veryslow" in told and "the film's samples" in told


def test_what_does_not_come_back_is_no_figure(
    session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = HstReader.episode

    def wrong(self: HstReader, episode: int) -> Episode:
        found = whole(self, episode)
        found.frames[-1, 5, 5] ^= 1
        return found

    monkeypatch.setattr(HstReader, "episode", wrong)
    assert run(session, "--profiles", "lossless", "--peers", "none") == 2
    assert "frames do not come back from profile lossless" in capsys.readouterr().err
    with pytest.raises(own.Mismatch):
        general.packed([b"abc"], lambda data: data, lambda data: data + b"x")
    assert run(session, "--profiles", "video", "--peers", "none") == 2
    assert "HST video: this is no film" in capsys.readouterr().err


def test_palettes_of_true_colour_and_bytes_between_points() -> None:
    palette = np.array([[0, 0, 0], [255, 9, 3], [7, 8, 200]], np.uint8)
    frames = palette[np.arange(2 * 6 * 4).reshape(2, 6, 4) % 3]
    clip = Clip(Episode("x", "generic", frames, None, None, None, None, np.arange(2, dtype=np.int32)))
    assert clip.index is not None and clip.palette is not None and clip.colours == 3
    assert np.array_equal(clip.palette[clip.index], frames)
    points = [[Point(10, 30, 32, 0, 0), Point(20, 40, 44, 0, 0)], [Point(30, 35, 35, 0, 0), Point(50, 45, 45, 0, 0)]]
    assert bytes_at(points, 35, False) == (15 + 30) / 2 and bytes_at(points, 20, False) == 20
    assert bytes_at(points, 38, True) == (15 + 36) / 2 and bytes_at(points, 41, False) is None
