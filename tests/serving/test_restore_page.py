"""The page that restores, in a real browser: what is painted is what is restored, and a link brings it back."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from served import Served, serving

FAKE = """
import json, sys
from PIL import Image, ImageChops
words = sys.argv[2:]
given = {words[i]: words[i + 1] for i in range(1, len(words) - 1) if words[i].startswith("--")}
mask = Image.open(given["--mask"]).convert("L")
print("\\rrestore:  50%|", end="", file=sys.stderr, flush=True)
made = Image.open(words[0]).convert("RGB")
made.paste((0, 200, 0), mask=mask)
made.save(given["--out"])
json.dump({"masked_pixels": mask.histogram()[255]}, open(given["--json"], "w"))
"""
WAIT = """() => new Promise((done) => {
  const look = () => document.getElementById("done").hidden ? setTimeout(look, 20) : done();
  look();
})"""
RESULT = """async () => {
  const data = await (await fetch(document.getElementById("download").href)).arrayBuffer();
  return Array.from(new Uint8Array(data));
}"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    pytest.importorskip("starlette", reason='the extra "serve" is needed')
    from hstmae.serving.jobs import Jobs

    (tmp_path / "jobs").mkdir()
    jobs = Jobs(tmp_path / "jobs", (sys.executable, "-c", FAKE))
    with serving(jobs=jobs) as found:
        yield found
    jobs.close()


def test_what_is_painted_is_restored_and_a_link_brings_it_back(browser: Any, served: Served, tmp_path: Path) -> None:
    truth = np.full((60, 80, 4), 255, np.uint8)
    truth[..., :3] = np.random.default_rng(0).integers(0, 256, (60, 80, 3))
    truth[:8, :8, 3] = 0  # transparent: missing without being painted
    Image.fromarray(truth).save(tmp_path / "picture.png")
    page = browser.new_page(viewport={"width": 900, "height": 1100})
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{served.url}restore.html?lang=en")
    page.set_input_files("#file", tmp_path / "picture.png")
    page.wait_for_selector("#painting:not([hidden])", timeout=20000)
    box = page.locator("#mask").bounding_box()

    def drag(x0: float, y0: float, x1: float, y1: float) -> None:
        page.mouse.move(box["x"] + x0 * box["width"], box["y"] + y0 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + x1 * box["width"], box["y"] + y1 * box["height"])
        page.mouse.up()

    drag(0.1, 0.1, 0.9, 0.9)  # taken back
    page.click("#undo")
    drag(20.5 / 80, 30.5 / 60, 39.5 / 80, 49.5 / 60)
    page.click("#start")
    page.evaluate(WAIT)
    made = np.asarray(Image.open(io.BytesIO(bytes(page.evaluate(RESULT)))))
    mask = truth[..., 3] == 0
    mask[30:50, 20:40] = True
    assert np.array_equal(made, np.where(mask[..., None], np.array([0, 200, 0], np.uint8), truth[..., :3]))
    assert page.text_content("#status") == f"Done. {mask.sum()} pixels restored."
    again = browser.new_page()
    again.goto(page.url)
    again.evaluate(WAIT)
    again.click("#remove")
    again.wait_for_selector("#done", state="hidden")
    assert not said and "#" not in again.url
    page.close()
    again.close()
    assert served.get(f"/restore/{page.url.partition('#')[2]}")[0] == 404
