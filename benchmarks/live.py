"""Streams on this machine: latency, rate, many viewers, bad networks, and whether memory grows.

    python benchmarks/live.py latency                       # one browser: capture to canvas, beside a bare socket
    python benchmarks/live.py crowd --viewers 100           # and 2 browsers: processor time, equal content
    python benchmarks/live.py faults                        # slow, broken, silent connections; server and source killed
    python benchmarks/live.py soak --seconds 600            # memory at minute 2 and at the end
    python benchmarks/live.py latency --input session.hst   # other footage than the bundled session

Server and publisher are processes of their own (`hstmae serve`, `hstmae stream --loop`); all over loopback. Chromium by
playwright (HSTMAE_CHROMIUM names the program). Say what else the machine does: latencies are of wall time.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from light_viewer import watching
from live_stage import NAME, Stage, browsers, wait_for
from proxy import Proxy

from hstmae.bundled import SAMPLES
from hstmae.live.watching import Decoding, Shown, watch
from hstmae.output import write_result

TOLD = """async (seconds) => {
  const player = document.querySelector("hst-player"), found = [], waits = [];
  let status = null;
  const drawn = ({ detail }) => found.push(detail.latency);
  const told = ({ detail }) => { status = detail; waits.push(detail.decodeMs); };
  player.addEventListener("hst-frame", drawn);
  player.addEventListener("hst-live", told);
  await new Promise((done) => setTimeout(done, seconds * 1000));
  player.removeEventListener("hst-frame", drawn);
  player.removeEventListener("hst-live", told);
  return { latencies: found, status };
}"""


def shares(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = lambda share: round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 2)  # noqa: E731
    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "most": at(1.0), "of": len(ordered)}


def _bare_sender(pipe: Connection, seconds: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pipe.send(listening.getsockname()[1])
        to, _ = listening.accept()
        to.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due = time.time()
        while due < time.time() + seconds and seconds > 0:
            due += 1 / 60
            seconds -= 1 / 60
            time.sleep(max(due - time.time(), 0))
            to.sendall(struct.pack("d", time.time()) + bytes(40))


def bare(seconds: float) -> dict[str, float]:
    """Milliseconds of a message of 48 bytes from process to process, 60 a second."""
    ours, theirs = Pipe()
    process = Process(target=_bare_sender, args=(theirs, seconds))
    process.start()
    found = []
    with socket.create_connection(("127.0.0.1", ours.recv())) as source:
        held = b""
        while data := source.recv(4096):
            now, held = time.time(), held + data
            while len(held) >= 48:
                found.append(1000 * (now - struct.unpack("d", held[:8])[0]))
                held = held[48:]
    process.join()
    return shares(found)


def latency(args: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {}
    with Stage(args.input) as stage, browsers(stage.port, 1) as (page,):
        time.sleep(4)
        held: list[dict[str, float]] = []
        beside = threading.Thread(target=lambda: held.append(bare(args.seconds)))
        beside.start()
        before = [(running.cpu(), time.monotonic()) for running in (stage.server, stage.publisher)]
        told = page.evaluate(TOLD, args.seconds)
        after = [(running.cpu(), time.monotonic()) for running in (stage.server, stage.publisher)]
        beside.join()
        used = [(b - a) / (t - s) for (a, s), (b, t) in zip(before, after, strict=True)]
        result["capture to canvas, ms"] = shares(told["latencies"])
        result["bare socket, ms"] = held[0]
        status = told["status"]
        result["stream, kbit/s with the WebSocket's own bytes"] = round(status["kbit"], 2)
        result["coding, ms"] = status["statistics"].get("encode_ms")
        result["decoding in the browser, ms"] = round(status["decodeMs"], 2)
        result["groups whose hash was right"] = status["groups"]
        result["processor share of server, publisher"] = [round(share, 3) for share in used]
        joins: list[float] = []
        next(watch(stage.url))  # which loads the tables
        for _ in range(args.joins):
            began = time.monotonic()
            frames = watch(stage.url)
            next(frames)
            joins.append(1000 * (time.monotonic() - began))
            frames.close()
            time.sleep(0.13)
        result["join in the middle of a group (Python), ms"] = shares(joins)
    return result


def crowd(args: argparse.Namespace) -> dict[str, Any]:
    with Stage(args.input) as stage, browsers(stage.port, 2) as pages:
        time.sleep(5)
        with watching(stage.port, NAME, args.viewers) as viewers:
            time.sleep(2)
            before, began = stage.server.cpu(), time.monotonic()
            first, begun = [viewer.frames for viewer in viewers], stage.metric("jumps_total")
            told = [page.evaluate(TOLD, args.seconds / 2) for page in pages]
            used = (stage.server.cpu() - before) / (time.monotonic() - began)
            gone = time.monotonic() - began
            lag = stage.metric("viewer_lag_seconds")
            rates = [(viewer.frames - start) / gone for viewer, start in zip(viewers, first, strict=True)]
            jumps = stage.metric("jumps_total")
        common = set.intersection(*(set(viewer.groups) for viewer in viewers))
        different = sum(len({viewer.groups[group] for viewer in viewers}) > 1 for group in common)
    return {
        "viewers": len(viewers), "browsers": len(pages),
        "server's share of a core": round(used, 3),
        "frames a second at the viewers, least and most": [round(min(rates), 1), round(max(rates), 1)],
        "lag of the slowest, s": lag, "jumps while all of them came, and after": [begun, jumps - begun],
        "groups compared by all, different": [len(common), different],
        "browsers: groups whose hash was right": [one["status"]["groups"] for one in told],
        "browsers: capture to canvas, ms": [shares(one["latencies"]) for one in told],
    }  # fmt: skip


class Follower(threading.Thread):
    """A viewer that decodes, through a proxy or not."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.decoding, self.told, self.frames = url, Decoding(), [], 0
        self.last: Shown | None = None
        self.lost_at = 0.0
        self.start()

    told: list[str]

    def run(self) -> None:
        def told(text: str) -> None:
            self.told.append(text)
            self.lost_at = time.monotonic()

        for shown in watch(self.url, told=told, decoding=self.decoding):
            self.frames += 1
            self.last = shown

    @property
    def where(self) -> tuple[int, int]:
        return (self.last.epoch, self.last.number) if self.last is not None else (0, -1)


def faults(args: argparse.Namespace) -> dict[str, Any]:
    """Each viewer has a proxy and a fault of its own, then the server is killed, then the source; 20 frames a second,
    since all of them decode in one process."""
    result: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        stage = stack.enter_context(Stage(args.input, fps=20))
        kinds = ("none", "30 kbit/s", "reset every 3 s", "silent for 10 s")
        proxies = {kind: stack.enter_context(Proxy(stage.port)) for kind in kinds}
        proxies["30 kbit/s"].rate = 30_000 // 8
        viewers = {kind: Follower(f"http://127.0.0.1:{proxy.port}/{NAME}") for kind, proxy in proxies.items()}
        wait_for(lambda: all(viewer.frames > 30 for viewer in viewers.values()), 90)
        held = time.monotonic()
        proxies["silent for 10 s"].holding = True
        wait_for(lambda: viewers["silent for 10 s"].lost_at > held)
        result["silence noticed after, s"] = round(viewers["silent for 10 s"].lost_at - held, 2)
        while time.monotonic() - held < 10:
            time.sleep(3)
            proxies["reset every 3 s"].reset()
        proxies["silent for 10 s"].holding = False
        proxies["silent for 10 s"].reset()
        result["all have gone on after, s"] = round(recovered(viewers), 2)
        stage.server.end(signal.SIGKILL)
        time.sleep(1)
        stage.server.start()
        result["server killed and begun again: all have gone on after, s"] = round(recovered(viewers), 2)
        stage.publisher.end(signal.SIGKILL)
        time.sleep(1)
        stage.publisher.start()
        result["source killed and begun again: all have gone on after, s"] = round(recovered(viewers), 2)
        time.sleep(3)
        stage.publisher.end(signal.SIGINT)  # which sends what it has
        time.sleep(6)
        ends = {kind: viewer.where for kind, viewer in viewers.items()}
        result["all end on the same frame"] = len(set(ends.values())) == 1
        result["frames left out"] = {kind: viewer.decoding.missed for kind, viewer in viewers.items()}
        result["groups whose hash was right"] = {kind: viewer.decoding.groups for kind, viewer in viewers.items()}
        result["other content"] = sum("content" in text for viewer in viewers.values() for text in viewer.told)
    return result


def recovered(viewers: dict[str, Follower]) -> float:
    """Seconds until every viewer has shown thirty frames more."""
    goal = {kind: viewer.frames + 30 for kind, viewer in viewers.items()}
    return wait_for(lambda: all(viewer.frames >= goal[kind] for kind, viewer in viewers.items()), 60)


def soak(args: argparse.Namespace) -> dict[str, Any]:
    """Memory of server, publisher and a browser's page."""
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        extra = ("--files", folder, "--record")
        with (
            Stage(args.input, extra) as stage,
            browsers(stage.port, 1) as (page,),
            watching(stage.port, NAME, args.viewers) as viewers,
        ):
            began = time.monotonic()
            while (gone := time.monotonic() - began) < args.seconds:
                time.sleep(min(args.seconds / 20, args.seconds - gone))
                row = {
                    "s": round(time.monotonic() - began),
                    "server MB": stage.server.memory(),
                    "publisher MB": stage.publisher.memory(),
                }
                row["page MB"] = page.evaluate("performance.memory ? performance.memory.usedJSHeapSize / 1e6 : 0")
                row["page behind ms"] = page.evaluate("document.querySelector('hst-player').latency[0]")
                rows.append({key: round(value, 1) for key, value in row.items()})
                print(rows[-1], file=sys.stderr, flush=True)
            jumps, frames = stage.metric("jumps_total"), min(viewer.frames for viewer in viewers)
    return {"rows": rows, "jumps": jumps, "frames at the last of the viewers": frames}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("latency", "crowd", "faults", "soak"))
    parser.add_argument("--input", default=str(SAMPLES / "sample_session.hst"))
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--joins", type=int, default=10)
    parser.add_argument("--json")
    args = parser.parse_args()
    found = {"latency": latency, "crowd": crowd, "faults": faults, "soak": soak}[args.what](args)
    for key, value in found.items():
        if key != "rows":
            print(f"{key:<60} {value}")
    write_result(args.json, found)


if __name__ == "__main__":
    main()
