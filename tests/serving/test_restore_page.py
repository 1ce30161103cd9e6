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
    jobs = Jobs(tmp_path / "jobs", (sys.executable, "-c", FAKE), looker=None)
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


RECORDED = """
import json, os, sys
import numpy as np
from PIL import Image
words = sys.argv[2:]
out = words[words.index("--out") + 1]
assert words[words.index("--state") + 1] == "compact" or not json.dump(words, open("words.json", "w"))
os.makedirs(f"{out}/confidence")
for number in (73, 120, 168):
    Image.fromarray(np.full((240, 256, 3), number, np.uint8)).save(f"{out}/f{number:06d}.png")
    Image.fromarray(np.full((240, 256), number, np.uint8)).save(f"{out}/confidence/f{number:06d}.png")
json.dump({"masked_pixels": 576000}, open("summary.json", "w"))
"""
PIXEL = """async () => {
  const shown = document.querySelector("#compare > :last-child");
  await shown.decode();
  const canvas = new OffscreenCanvas(1, 1);
  canvas.getContext("2d").drawImage(shown, 0, 0);
  return [shown.naturalWidth, shown.naturalHeight, canvas.getContext("2d").getImageData(0, 0, 1, 1).data[0]];
}"""


SHOW = "n => Object.assign(document.getElementById('frame'), { value: n }).dispatchEvent(new Event('input'))"


def test_the_sample_session_is_looked_at_and_shown_frame_by_frame(browser: Any, tmp_path: Path) -> None:
    """The looking is the program's own; what restores is not, but writes frames as it does."""
    pytest.importorskip("starlette", reason='the extra "serve" is needed')
    from hstmae.serving.jobs import Jobs

    jobs = Jobs(tmp_path, (sys.executable, "-c", RECORDED))
    with serving(jobs=jobs) as served:
        page = browser.new_page(viewport={"width": 390, "height": 800})
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{served.url}restore.html?lang=ko")
        page.click("#sample")
        page.evaluate(WAIT)
        assert page.is_visible("#stateRow") and not said, said
        assert page.locator("#view option").evaluate_all("all => all.map((one) => one.value)") == [
            "restored", "error", "confidence"
        ]  # fmt: skip
        last = page.locator("#frame").get_attribute("max")
        assert last == "1"  # the first and the last frame are shown, not what the fake has not written
        for frame, value in ((0, 73), (1, 168)):
            page.evaluate(SHOW, frame)
            for view in ("restored", "confidence"):
                page.select_option("#view", view)
                assert page.evaluate(PIXEL) == [256, 240, value]
        data = bytes(page.evaluate(RESULT))
        assert data[:2] == b"PK" and b"f000168.png" in data
        for width in (390, 1000):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.close()
    jobs.close()
    assert not list(tmp_path.iterdir())
