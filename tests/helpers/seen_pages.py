"""A small landscape that scrolls, and pages as a browser would take them."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from hstmae import cli

SIZE = (40, 56)


def scrolling(count: int = 12, step: int = 2) -> np.ndarray:
    """uint8 [T, H, W, 3]: a landscape of few colours that moves to the left."""
    rng = np.random.default_rng(3)
    world = rng.integers(0, 5, (SIZE[0] // 4, 40)).repeat(4, 0).repeat(4, 1)
    colours = rng.integers(0, 256, (5, 3)).astype(np.uint8)
    return np.stack([colours[world[:, step * t : step * t + SIZE[1]]] for t in range(count)])


def pictures(folder: Path) -> Path:
    """They as files in `folder`/in."""
    (folder / "in").mkdir()
    for t, picture in enumerate(scrolling()):
        Image.fromarray(picture).save(folder / "in" / f"{t}.png")
    return folder / "in"


def restore(*words: object) -> int:
    return cli.main(["restore", *map(str, words)])


class Tags(HTMLParser):
    """What a page asks for, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [value or "" for name, value in attrs if name in ("src", "href", "data", "action")]
        if tag in ("div", "svg", "figure", "ul", "style", "g"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("div", "svg", "figure", "ul", "style", "g"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(path: Path) -> Tags:
    page = Tags()
    page.feed(path.read_text(encoding="utf-8"))
    assert not page.open
    for one in page.asked:
        assert one.startswith("data:image/"), one[:60]
        Image.open(io.BytesIO(base64.b64decode(one.partition(",")[2]))).load()
    assert not re.search(r"https?://|@import|<script|<link", path.read_text(encoding="utf-8"))
    return page
