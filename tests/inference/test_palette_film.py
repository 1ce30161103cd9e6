"""A film that shows a palette game, restored by that game's model in the film's own pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae.bundled import find
from hstmae.data.sources.finding import find_sources
from hstmae.data.sources.video import VideoOptions
from hstmae.games import get_game
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, restore_footage
from hstmae.inference.loading import load
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.sinks import FolderSink
from hstmae.masks.ranges import Drawn, parse_rectangle


def test_a_film_of_a_palette_game_is_restored_at_its_own_size(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    _, (episode, *_) = find_sources(find(Path("assets/sample_session")), get_game("smb"), VideoOptions())
    frames = [frame.pixels for frame in episode.frames(lambda problem: None, {})][:8]
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=60)
        stream.width, stream.height, stream.pix_fmt = 512, 480, "bgr0"
        for entries in frames:
            rgb = get_game("smb").palette[entries].repeat(2, 0).repeat(2, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    predictor = load("hst-mae-nano")
    (footage,) = open_footage(path, "smb")
    summary = RestoreSummary()
    rules = MaskRules(drawn=Drawn((parse_rectangle("200,300,64,60"),)))
    restore_footage(predictor, footage, rules, "auto", FolderSink(tmp_path / "out"), summary)
    assert summary.frames == 8 and summary.masked == 8 * 64 * 60 and summary.rated == summary.masked
    for entries, file in zip(frames, sorted((tmp_path / "out").glob("*.png")), strict=True):
        with Image.open(file) as made:
            rgb = np.asarray(made.convert("RGB"))
        truth = get_game("smb").palette[entries].repeat(2, 0).repeat(2, 1)
        hidden = np.zeros((480, 512), bool)
        hidden[300:360, 200:264] = True
        assert np.array_equal(rgb[~hidden], truth[~hidden])
        assert (rgb[hidden] == truth[hidden]).all(-1).mean() > 0.9
