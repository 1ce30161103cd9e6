"""A film that shows a palette game, restored by that game's model in the film's own pixels."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae.bundled import find
from hstmae.cli import main
from hstmae.data.sources.finding import find_sources
from hstmae.data.sources.video import VideoOptions
from hstmae.games import get_game
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, restore_footage
from hstmae.inference.loading import load
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.sinks import FolderSink
from hstmae.masks.ranges import Drawn, parse_rectangle


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    """Palette entries uint8 [240, 256] of four frames in a row."""
    _, (episode, *_) = find_sources(find(Path("assets/sample_session")), get_game("smb"), VideoOptions())
    return [frame.pixels for frame in episode.frames(lambda problem: None, {})][:4]


@pytest.fixture(scope="module")
def film(frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    av = pytest.importorskip("av")
    path = Path(tmp_path_factory.mktemp("film")) / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=60)
        stream.width, stream.height, stream.pix_fmt = 512, 480, "bgr0"
        for entries in frames:
            rgb = get_game("smb").palette[entries].repeat(2, 0).repeat(2, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_film_of_a_palette_game_is_restored_at_its_own_size(
    film: Path, frames: list[np.ndarray], tmp_path: Path
) -> None:
    predictor = load("hst-mae-nano")
    (footage,) = open_footage(film, "smb")
    summary = RestoreSummary()
    rules = MaskRules(drawn=Drawn((parse_rectangle("200,300,64,60"),)))
    restore_footage(predictor, footage, rules, "auto", FolderSink(tmp_path / "out"), summary)
    assert summary.frames == 4 and summary.masked == 4 * 64 * 60 and summary.rated == summary.masked
    for entries, file in zip(frames, sorted((tmp_path / "out").glob("*.png")), strict=True):
        with Image.open(file) as made:
            rgb = np.asarray(made.convert("RGB"))
        truth = get_game("smb").palette[entries].repeat(2, 0).repeat(2, 1)
        hidden = np.zeros((480, 512), bool)
        hidden[300:360, 200:264] = True
        assert np.array_equal(rgb[~hidden], truth[~hidden])
        assert (rgb[hidden] == truth[hidden]).all(-1).mean() > 0.9


@pytest.mark.parametrize(
    ("made", "sure"),
    [
        ("new.mkv", "new.confidence/f000003.png"),
        ("new.png", "new.confidence.png"),
        ("new", "new/confidence/f000003.png"),
    ],
)
def test_how_sure_each_pixel_is_lies_in_the_folder_or_beside_the_file(
    film: Path, frames: list[np.ndarray], tmp_path: Path, made: str, sure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, part = film, ["--frames", "3:4"]
    if made == "new.png":
        source, part = tmp_path / "frame.png", []
        Image.fromarray(get_game("smb").palette[frames[3]]).save(source)
    command = ["restore", str(source), "--rect", "20,40,30,20", "--out", str(tmp_path / made), "--confidence", *part]
    assert main([*command, "--checkpoint", "hst-mae-nano", "--json", str(tmp_path / "report.json")]) == 0
    place = tmp_path / sure
    with Image.open(place) as picture:
        shown = np.asarray(picture)
    assert shown.shape == ((240, 256) if made == "new.png" else (480, 512))
    assert (shown[40:60, 20:50] < 255).any() and (np.delete(shown, np.s_[40:60], 0) == 255).all()
    told = json.loads((tmp_path / "report.json").read_bytes())["confidence_out"]
    assert Path(told) in (place, place.parent) and told in capsys.readouterr().out
    assert main([*command, "--checkpoint", "hst-mae-nano"]) == 2  # neither is replaced
    if (tmp_path / made).is_file():
        (tmp_path / made).unlink()
        assert main([*command, "--checkpoint", "hst-mae-nano"]) == 2
        assert "confidence" in capsys.readouterr().err and not (tmp_path / made).exists()
