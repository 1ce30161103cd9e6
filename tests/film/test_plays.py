"""How often an animated picture is shown stays what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_networks import ColourPainter, colour_predictor
from films import av
from PIL import Image

from hstmae import cli
from hstmae.film.codecs import FilmOptions
from hstmae.film.plays import plays_of
from hstmae.inference.film_sink import FilmSink
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, restore_footage
from hstmae.inference.kept import KeptPixels
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.sinks import FolderSink
from hstmae.masks.ranges import Drawn, parse_rectangle
from hstmae.pictures.animated import Animated

assert av


def made(path: Path, plays: int) -> Path:
    """An animation of three frames, shown so often; 0 = for ever."""
    frames = [Image.fromarray(np.full((16, 24, 3), 80 * k, np.uint8)) for k in range(3)]
    loop = {".gif": {} if plays == 1 else {"loop": plays - 1 if plays else 0}}.get(path.suffix, {"loop": plays})
    more = {"lossless": True} if path.suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, **loop, **more)
    assert Animated(path).plays == plays
    return path


@pytest.mark.parametrize("plays", [0, 1, 3])
@pytest.mark.parametrize("source", ["a.gif", "a.png", "a.webp"])
def test_how_often_is_kept(source: str, plays: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / source, plays)
    predictor, rules = colour_predictor(ColourPainter()), MaskRules(drawn=Drawn((parse_rectangle("2,2,8,8"),)))
    for out in ("new.gif", "new.apng", "new"):
        (footage,) = open_footage(path, "generic")
        target = tmp_path / "restored" / out
        options = FilmOptions(lossless=True)
        sink = (
            FolderSink(target)
            if out == "new"
            else FilmSink(target, KeptPixels(tmp_path / "kept"), footage, options, 30)
        )
        lost = restore_footage(predictor, footage, rules, "auto", sink, RestoreSummary())
        assert not [line for line in lost if "shown" in line]
        if out == "new":
            (again,) = (file for file in target.iterdir() if file.stem == "a")
            assert Animated(again).plays == plays
        else:
            assert plays_of(target) == plays
    hst = tmp_path / "x.hst"
    assert cli.main(["encode", str(path), str(hst), "--allow-loss", "all", "--workers", "1"]) == 0
    for out, part in (("b.gif", []), ("b.apng", []), ("c.gif", ["--frames", "0:2"])):
        assert cli.main(["decode", str(hst), str(tmp_path / out), "--to", "film", *part]) == 0
        assert plays_of(tmp_path / out) == plays
    capsys.readouterr()
    assert cli.main(["decode", str(hst), str(tmp_path / "b.mkv"), "--to", "film"]) == 0
    assert ("that it is shown" in "".join(capsys.readouterr())) == (plays != 1)
