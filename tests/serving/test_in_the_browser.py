"""The player in a real browser: what is on its canvas is what was recorded."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from typing import Any

import make_golden
import numpy as np
import pytest
from served import Served, serving

from hstmae.codec.container import chunks
from hstmae.codec.container.index import pack_end, pack_index
from hstmae.codec.session.frame import _colours
from hstmae.codec.session.reader import HstReader

# What is awaited in the page: its policy forbids what playwright's own waiting does.
_AWAIT = """const patient = (promise) => Promise.race([promise, new Promise((_, fail) =>
  setTimeout(() => fail(new Error("the player does not answer")), 40000))]);
const player = document.querySelector("hst-player");"""
READY = f"""() => {{ {_AWAIT} return patient(new Promise((done) => {{
  const look = () => {{
    const error = player?.shadowRoot.querySelector(".error")?.textContent;
    if (player?.frame >= 0 || error) done(error ?? "");
    else setTimeout(look, 5);
  }};
  look();
}})); }}"""
LOAD = f"""(src) => {{ {_AWAIT} return patient(new Promise((done) => {{
  player.removeAttribute("autoplay");
  player.addEventListener("hst-error", (event) => done(event.detail.message), {{ once: true }});
  player.addEventListener("hst-frame", () => done(""), {{ once: true }});
  player.setAttribute("src", src);
}})); }}"""
FAILS = f"""(frame) => {{ {_AWAIT} return patient(new Promise((done) => {{
  player.addEventListener("hst-error", (event) => done(event.detail.message), {{ once: true }});
  player.seek(frame);
}})); }}"""
# SHA-256 of the canvas at each frame of an episode, and how many milliseconds each took to get there.
HASHES = f"""async ([episode, frames]) => {{ {_AWAIT}
  player.pause();
  if (player.episode !== episode) player.choose(episode);
  const copy = document.createElement("canvas"), found = [];
  for (const frame of frames) {{
    const start = performance.now();
    await patient(new Promise((done) => {{
      player.addEventListener("hst-frame", (event) => event.detail.index === frame && done());
      player.seek(frame);
    }}));
    const ms = performance.now() - start, canvas = player.shadowRoot.querySelector("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const target = copy.getContext("2d", {{ willReadFrequently: true }});
    target.drawImage(canvas, 0, 0);
    const pixels = target.getImageData(0, 0, copy.width, copy.height).data;
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", pixels));
    found.push([Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(""), ms]);
  }}
  return found;
}}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("sessions")
    for name in ("session", "several"):
        shutil.copy(make_golden.GOLDEN / f"{name}.hst", folder)
    whole = (folder / "several.hst").read_bytes()
    (folder / "cut off.hst").write_bytes(whole[:40])
    (folder / "no session.hst").write_bytes(b"text\n" * 100)
    with HstReader(folder / "session.hst") as reader:
        second = reader.entries[0].gops[1][0]
    damaged = bytearray((folder / "session.hst").read_bytes())
    damaged[second + 60] ^= 255
    (folder / "damaged.hst").write_bytes(damaged)
    (folder / "large.hst").write_bytes(_large((folder / "several.hst").read_bytes()))
    with serving(folder) as found:
        yield found


def _large(data: bytes) -> bytes:
    """The same file with megabytes in it that no player needs."""
    out, table = bytearray(data[: chunks.PREAMBLE_BYTES]), []
    pad = chunks.chunk(b"\xd5pad", np.random.default_rng(1).bytes(2 << 20))
    for offset, header in chunks.scan_all(memoryview(data), chunks.PREAMBLE_BYTES)[0]:
        if header.kind in (chunks.INDEX, chunks.END):
            continue
        for piece in (data[offset : offset + header.size], pad):
            table.append((len(out), chunks.parse_header(memoryview(piece), 0)))
            out += piece
    at = len(out)
    out += chunks.chunk(chunks.INDEX, pack_index([(o, h) for o, h in table if h is not None]))
    return bytes(out + pack_end(at))


@pytest.fixture(scope="module")
def opened(browser: Any, served: Served) -> Iterator[Any]:
    """The first page, playing."""
    with browser.new_context(locale="en-US", has_touch=True) as context:
        opened = context.new_page()
        opened.goto(served.url)
        assert opened.evaluate(READY) == ""
        yield opened


@pytest.fixture
def page(opened: Any) -> Iterator[Any]:
    """The same; whatever it reports as an error fails the test."""
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    assert not problems


def rgba(frames: np.ndarray, palette: np.ndarray | None) -> list[str]:
    """SHA-256 of each picture as a canvas gives it."""
    shown = frames if palette is None else _colours(palette)[frames]
    opaque = np.concatenate([shown, np.full((*shown.shape[:3], 1), 255, np.uint8)], 3)
    return [hashlib.sha256(picture.tobytes()).hexdigest() for picture in opaque]


def test_every_frame_of_the_bundled_session_is_on_the_canvas_bit_for_bit(page: Any) -> None:
    assert page.evaluate("document.querySelector('hst-player').playing") is True  # at once, by itself
    found = page.evaluate(HASHES, [0, list(range(96))])
    whole = make_golden.sample(96)
    assert [hash_ for hash_, _ in found] == rgba(whole.frames, whole.palette)
    # Back and forth once more, where all is decoded: at once.
    again = page.evaluate(HASHES, [0, [90, 3, 47, 0]])
    assert [hash_ for hash_, _ in again] == [found[k][0] for k in (90, 3, 47, 0)]


@pytest.mark.parametrize("renderer", ["webgl", "2d"])
def test_both_ways_of_drawing_show_palettes_and_true_colour(page: Any, renderer: str) -> None:
    page.evaluate(f"document.querySelector('hst-player').setAttribute('renderer', '{renderer}')")
    assert page.evaluate(LOAD, "files/several.hst") == ""
    with HstReader(make_golden.GOLDEN / "several.hst") as reader:
        for k, rows in enumerate(([0, 7, 2], [6, 0, 3])):
            episode = reader.read(k, rows)
            found = page.evaluate(HASHES, [k, rows])
            assert [hash_ for hash_, _ in found] == rgba(episode.frames, episode.palette)
    assert page.evaluate("document.querySelector('hst-player').drawnBy") in (renderer, "2d")  # not all have WebGL


def test_files_that_cannot_be_played_say_why_and_the_page_lives_on(page: Any) -> None:
    for name, text in (("no session", "not a .hst file"), ("cut off", "no episode"), ("nowhere", "404")):
        assert text in page.evaluate(LOAD, f"files/{name}.hst"), name
    # A group is damaged: what lies before it is shown, then the player says so, and can be moved behind it.
    assert page.evaluate(LOAD, "files/damaged.hst") == ""
    message = page.evaluate(FAILS, 9)
    assert "frames 8 to 15 are damaged" in message
    with HstReader(make_golden.GOLDEN / "session.hst") as reader:
        after = reader.read(0, [17])
    assert [hash_ for hash_, _ in page.evaluate(HASHES, [0, [17]])] == rgba(after.frames, after.palette)


def test_only_the_parts_that_are_played_are_fetched(page: Any, served: Served) -> None:
    before = len(served.sent)
    assert page.evaluate(LOAD, "files/large.hst") == ""
    sent = sum(size for path, size in served.sent[before:] if path.endswith("large.hst"))
    assert 0 < sent < 1 << 20  # of ten times as much


def test_keys_and_names_for_whoever_does_not_see_or_use_a_mouse(page: Any) -> None:
    player = page.locator("hst-player")
    names = player.locator("button, select:visible, input").evaluate_all(
        "all => all.map((control) => control.getAttribute('aria-label'))"
    )
    assert len(names) >= 9 and all(names) and len(set(names)) == len(names)
    assert player.get_attribute("aria-label") and player.locator("canvas").get_attribute("aria-label")
    assert page.evaluate(LOAD, "sample_session.hst") == ""
    player.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(".")
    state = "(() => { const p = document.querySelector('hst-player'); return [p.aim, p.playing]; })()"
    assert page.evaluate(state) == [2, False]
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(state) == [1, False]
    page.keyboard.press(" ")
    assert page.evaluate(state)[1] is True
    page.keyboard.press("k")
    page.keyboard.press("s")
    page.keyboard.press("b")
    assert "player x" in player.locator(".state").inner_text()
    assert "Buttons pressed" in (player.locator(".pad").get_attribute("aria-label") or "")
    page.keyboard.press("s")
    with page.expect_download() as saved:
        page.keyboard.press("p")
    assert saved.value.suggested_filename.endswith(".png")


def test_small_screens_are_wide_enough_and_can_be_touched(page: Any) -> None:
    assert page.evaluate(LOAD, "sample_session.hst") == ""
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    playing = "document.querySelector('hst-player').playing"
    before = page.evaluate(playing)
    page.locator("hst-player canvas").tap()
    assert page.evaluate(playing) is not before
    page.set_viewport_size({"width": 1000, "height": 800})


def test_korean_texts_for_who_asks_for_them(browser: Any, served: Served) -> None:
    with browser.new_context(locale="ko-KR") as context:
        korean = context.new_page()
        korean.goto(served.url)
        assert "기록된 세션" in korean.title() and korean.locator("html").get_attribute("lang") == "ko"
        assert korean.locator("hst-player").get_attribute("aria-label") == "기록된 세션 플레이어"
        english = context.new_page()
        english.goto(f"{served.url}?lang=en")
        assert "recorded sessions" in english.title()
