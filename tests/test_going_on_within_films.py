"""Jobs of one long film that are stopped within it: the same job goes on there, with the same bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from short_pictures import content, make_film

from hstmae.atomic import TEMP_MARK
from hstmae.codec.film import begun as film_begun
from hstmae.codec.film import decoding, dividing
from hstmae.codec.jobs import encode_film
from hstmae.codec.jobs.encode_many import archive
from hstmae.codec.jobs.inputs import find_input
from hstmae.codec.jobs.tasks import Settings
from hstmae.data.sources.video import VideoOptions


class Decoding:
    """Counts frames that are decoded, and ends the run at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = self.left = 0

        def digest(frame: object) -> int:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            self.count += 1
            return decoding.digest(frame)

        for module in (dividing, encode_film):
            monkeypatch.setattr(module, "digest", digest)


FILMS: dict[str, Callable[[Path], None]] = {
    "h264": lambda path: make_film(path, 150),
    "open groups": lambda path: make_film(path, 150, open_gops=True),
    "mpeg4": lambda path: make_film(path, 150, "mpeg4"),
    "damaged": lambda path: _damaged(path),
}


def _damaged(path: Path) -> None:
    make_film(path, 150, "mpeg4")
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3 :] = bytes(len(data) - len(data) * 2 // 3)
    path.write_bytes(data)


@pytest.mark.parametrize("kind", FILMS)
def test_a_film_is_gone_on_with_within_it(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ending = ".avi" if kind in ("mpeg4", "damaged") else ".mp4"
    source = tmp_path / f"film{ending}"
    FILMS[kind](source)
    monkeypatch.setattr(film_begun, "NOTE_SECONDS", 0)
    decodes, rng = Decoding(monkeypatch), random.Random(kind)

    def run(out: Path) -> object:
        found = find_input(source, None, VideoOptions())
        return archive(found, out, Settings(gop=12), workers=1)

    (tmp_path / "whole").mkdir()
    (tmp_path / "out").mkdir()
    run(tmp_path / "whole" / "x.hst")
    once, ends, decodes.count = decodes.count, 0, 0
    while True:
        decodes.left = rng.randint(30, 90)
        try:
            run(tmp_path / "out" / "x.hst")
            break
        except KeyboardInterrupt:
            ends += 1
            assert ends < 50
    assert ends > 1 and content(tmp_path / "out") == content(tmp_path / "whole")
    again = decodes.count - once
    assert again <= ends * 60, (again, ends, once)  # back to a key frame with enough frames noted behind it


def test_a_film_changed_meanwhile_is_looked_at_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = tmp_path / "film.mp4", tmp_path / "x.hst"
    make_film(source, 100)
    monkeypatch.setattr(film_begun, "NOTE_SECONDS", 0)
    decodes = Decoding(monkeypatch)

    def run(target: Path) -> object:
        return archive(find_input(source, None, VideoOptions()), target, Settings(gop=12), workers=1)

    decodes.left = 80
    with pytest.raises(KeyboardInterrupt):
        run(out)
    kept = [p.name for p in tmp_path.iterdir()]
    assert any(name.endswith("-unfinished") for name in kept) and "x.hst" not in kept
    source.unlink()
    make_film(source, 90)
    decodes.left = 0
    run(out)
    run(tmp_path / "y.hst")
    assert out.read_bytes() == (tmp_path / "y.hst").read_bytes()
    assert not list(tmp_path.glob(f".*{TEMP_MARK}*"))
