"""What notebooks show: small, whole in itself, and harmless whatever the names are."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import hstmae
from hstmae.data.episode import Episode
from hstmae.notebook import WIDEST, card
from hstmae.restoration.result import Restoration

NASTY = '<script>alert(\'x\')</script>" onload="x" & \u30de\u30ea\u30aa\n'


class Tags(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def pictures(page: str) -> list[Image.Image]:
    found = re.findall(r"src='data:image/png;base64,([^']+)'", page)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


def check(page: str) -> Tags:
    """Only harmless tags, nothing from elsewhere, and not much of it."""
    shown = Tags(page)
    assert {tag for tag, _ in shown.tags} <= {"div", "b", "table", "tr", "th", "td", "figure", "img", "figcaption"}
    for _, attributes in shown.tags:
        assert attributes.keys() <= {"style", "alt", "src"}
        assert (attributes.get("src") or "data:image/png;").startswith("data:image/png;")
    assert len(page) < 1 << 20
    return shown


def episode(frames: np.ndarray, palette: np.ndarray | None) -> Episode:
    numbers = np.arange(len(frames), dtype=np.int32)
    return Episode(
        NASTY, "smb", frames, palette, None, None, None, numbers, level=NASTY, source=NASTY, notes={NASTY: 3}
    )


def test_an_episode_shows_its_middle_frame_in_its_colours() -> None:
    palette = np.arange(192, dtype=np.uint8).reshape(64, 3)
    frames = np.stack([np.full((24, 32), t, np.uint8) for t in range(5)])
    page = episode(frames, palette)._repr_html_()
    shown = check(page)
    assert NASTY.strip() in shown.text and "5 of 32x24 at 60 a second" in shown.text
    (picture,) = pictures(page)
    assert picture.size == (32, 24) and np.array_equal(np.asarray(picture), palette[frames[2]])
    colours = np.stack([palette[frame] for frame in frames])
    assert np.array_equal(np.asarray(pictures(episode(colours, None)._repr_html_())[0]), colours[2])


def test_an_episode_without_frames_has_no_picture() -> None:
    empty = episode(np.zeros((0, 24, 32), np.uint8), np.zeros((64, 3), np.uint8))
    assert "0 of 32x24" in check(empty._repr_html_()).text and pictures(empty._repr_html_()) == []


@pytest.mark.parametrize("sure", [None, 0.5])
def test_a_restoration_shows_picture_and_confidence(sure: float | None) -> None:
    rgb = np.zeros((3, 720, 1280, 3), np.uint8)
    confidence = None if sure is None else np.full(rgb.shape[:3], sure, np.float32)
    page = Restoration(rgb, None, confidence)._repr_html_()
    check(page)
    assert [p.size for p in pictures(page)] == [(WIDEST, 180)] * (1 if sure is None else 2)
    if sure is not None:
        assert int(np.asarray(pictures(page)[1]).max()) == 127
    none = Restoration(rgb[:0], None, None if confidence is None else confidence[:0])
    with np.errstate(all="ignore"):
        check(none._repr_html_())


def test_a_predictor_says_what_it_is() -> None:
    model = hstmae.load("hst-mae-nano", "cpu")
    text = check(model._repr_html_()).text
    assert "hst-mae-nano" in text and "million" in text and "20 maps" in text
    model.config = replace(model.config, name=NASTY)
    model.model, model.atlas = object(), None
    assert NASTY.strip() in check(model._repr_html_()).text


def test_rows_without_a_value_are_left_out() -> None:
    assert Tags(card("t", [("a", None), ("b", ""), ("c", 0)])).text == "tc0"
