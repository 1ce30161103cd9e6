"""A stream in a real browser: what is on the canvas is what was sent, through breaks of the connection, too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import make_golden
import numpy as np
import pytest
from proxy import Proxy
from served import Served, serving
from streaming import all_sent, patient
from test_in_the_browser import rgba

from hstmae.live.sending import LiveStream

pytest.importorskip("websockets", reason='the extra "serve" is needed')
FRAMES = 30
# SHA-256 of the canvas when frame `number` of a stream is drawn.
SHOWN = """async ([number, session]) => {
  const player = document.querySelector("hst-player");
  const fails = (fail) => fail(new Error("frame " + number + " does not come; " + told()));
  const late = new Promise((_, fail) => setTimeout(() => fails(fail), 30000));
  const told = () => player.frame + " " + player.shadowRoot.querySelector(".message").textContent;
  const there = new Promise((done) => {
    const look = () => (player.frame === number && player.episodes[0].name === session ? done() : setTimeout(look, 5));
    look();
  });
  await Promise.race([there, late]);
  const canvas = player.shadowRoot.querySelector("canvas"), copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const target = copy.getContext("2d", { willReadFrequently: true });
  target.drawImage(canvas, 0, 0);
  const pixels = target.getImageData(0, 0, copy.width, copy.height).data;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", pixels));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}"""
UNTIL = """(text) => new Promise((done, fail) => {
  const found = () => document.querySelector("hst-player").shadowRoot.querySelector(".message").textContent;
  const look = () => (found().includes(text) ? done(found()) : setTimeout(look, 20));
  setTimeout(() => fail(new Error("instead of " + text + ": " + found())), 20000);
  look();
})"""
RECORDED = """(before) => new Promise((done) => document.querySelector("hst-player").addEventListener("hst-live",
  function told({ detail }) {
    const url = detail.statistics.recording_url ?? "";
    if (!url || url === before) return;
    this.removeEventListener("hst-live", told);
    done(url);
  }))"""
DECODES = """async () => typeof VideoDecoder !== "undefined" &&
  (await VideoDecoder.isConfigSupported({ codec: "avc1.64001F", optimizeForLatency: true })).supported"""
PIXELS = """() => {
  const canvas = document.querySelector("hst-player").shadowRoot.querySelector("canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return Array.from(pixels);
}"""
STATUS = """() => new Promise((done) => document.querySelector("hst-player").addEventListener("hst-live",
  ({ detail }) => done(detail), { once: true }))"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    from hstmae.serving.live.streams import Streams

    streams = Streams(tmp_path)
    with patient(), serving(tmp_path, streams=streams) as found:
        yield found
    streams.close()


def test_a_stream_is_drawn_bit_for_bit_and_goes_on_after_a_break(browser: Any, served: Served) -> None:
    sample = make_golden.sample(FRAMES)
    hashes = rgba(sample.frames, sample.palette)
    said: list[str] = []
    with Proxy(served.port) as proxy, LiveStream(f"{served.url}mario", game="smb", name="one", group=8) as stream:

        def send(rows: range) -> None:
            for t in rows:
                stream.frame(sample.frames[t], sample.state[t], int(sample.actions[t]), sample.palette)
            all_sent(stream)

        send(range(3))
        page = browser.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"http://127.0.0.1:{proxy.port}/?lang=en#live/mario")
        assert page.evaluate(SHOWN, [2, "one"]) == hashes[2]
        send(range(3, 11))
        assert page.evaluate(SHOWN, [10, "one"]) == hashes[10]
        page.locator("hst-player").focus()
        for key in "sbi":
            page.keyboard.press(key)
        assert "player x" in page.locator("hst-player").locator(".state").inner_text()
        proxy.reset()
        send(range(11, 20))
        assert page.evaluate(SHOWN, [19, "one"]) == hashes[19]
        status = page.evaluate(STATUS)
        assert (
            status["connected"] and status["connections"] >= 2 and status["groups"] >= 1
        )  # more breaks where it is busy
        assert "captured to drawn" in page.locator("hst-player").locator(".figures").inner_text()
        proxy.holding = True
        page.evaluate(UNTIL, "silent")
        proxy.holding = False
        proxy.reset()
        page.keyboard.press(" ")  # stops what is shown, not the stream
        send(range(20, 25))
        time.sleep(0.3)
        assert page.evaluate("document.querySelector('hst-player').frame") == 19
        page.keyboard.press(" ")
        send(range(25, FRAMES))
        assert page.evaluate(SHOWN, [FRAMES - 1, "one"]) == hashes[-1]
        recorded = page.evaluate(RECORDED, "")
        stream.end_session("win")
        stream.begin_session("smb", 60, "two")
        send(range(4))
        assert page.evaluate(SHOWN, [3, "two"]) == hashes[3]
        assert page.evaluate(RECORDED, recorded).startswith("files/mario-")
        page.get_by_text("Rewind").click()  # the recording of the session that goes on: its first group is not complete
        page.evaluate(UNTIL, "no episode")
        page.get_by_text("Back to live").click()
        assert page.evaluate(SHOWN, [3, "two"]) == hashes[3]
    page.evaluate(UNTIL, "Nobody is sending")
    page.close()
    assert not said


def test_streams_are_listed_and_told_of_in_korean(browser: Any, served: Served) -> None:
    sample = make_golden.sample(4)
    page = browser.new_page()
    page.goto(f"{served.url}?lang=ko")
    with LiveStream(f"{served.url}a.b-c", game="smb") as stream:
        for t in range(4):
            stream.frame(sample.frames[t], sample.state[t], int(sample.actions[t]), sample.palette)
        page.get_by_role("button", name="a.b-c", exact=True).click(timeout=20000)  # not its recording
        page.evaluate(SHOWN, [3, "live"])
        assert page.url.endswith("#live/a.b-c") and page.get_by_text("실시간 방송").is_visible()
    page.evaluate(UNTIL, "보내는 쪽이 없습니다")
    page.close()


def test_true_colour_is_drawn_by_the_browsers_own_video_decoder(browser: Any, served: Served) -> None:
    pytest.importorskip("av", reason='the extra "video" is needed')
    y, x = np.mgrid[:91, :121]
    frames = [np.stack([(x * 2 + t) % 256, (y * 2 + t) % 256, (x + y) % 256], -1).astype(np.uint8) for t in range(9)]
    page = browser.new_page()
    page.goto(f"{served.url}?lang=en")
    if not page.evaluate(DECODES):
        pytest.skip("this browser decodes no H.264")
    with LiveStream(f"{served.url}film", fps=30, name="film", group=4, video=3000) as stream:
        for picture in frames[:5]:
            stream.frame(picture)
        all_sent(stream)
        page.goto(f"{served.url}?lang=en#live/film")
        page.reload()
        page.evaluate(SHOWN, [0, "film"])  # of the group that goes on
        for picture in frames[5:]:
            stream.frame(picture)
        page.evaluate(SHOWN, [4, "film"])
        found = np.array(page.evaluate(PIXELS), np.uint8).reshape(91, 121, 4)[..., :3]
        assert 10 * np.log10(255**2 / ((found.astype(float) - frames[-1]) ** 2).mean()) > 22
        assert page.evaluate(STATUS)["groups"] >= 1
    page.close()
