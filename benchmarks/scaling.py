"""How far one run goes on many machines: what the driver of a Ray cluster and the join of parts cost, measured, and a
simulation with these figures up to a thousand workers and a million episodes.

    python benchmarks/scaling.py RECORDINGS FILE.hst [--episodes 1000000] [--json FILE]

Measured, in processor seconds, since the machine may be busy: encoding an episode of RECORDINGS, its listing, the look
at the lag of its files, packing and unpacking of a task and its result, a task of Ray that does nothing for different
numbers of tasks on their way (extra `ray`), and joining copies of FILE's episodes.

Simulated: one driver that does one thing after the other, and workers that take tasks in the order of their coming.
Tasks take as long as measured episodes do, scaled to a mean length and drawn at random; a worker dies once a day and is
back after five minutes, its task begins anew after ten seconds. `plain`: the driver looks at each episode, a task is
an episode, and results are taken in the order of tasks. `now`: as `hstmae encode --executor ray` does it.
"""

from __future__ import annotations

import argparse
import heapq
import json
import resource
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hstmae.atomic import write_json
from hstmae.codec.container import chunks
from hstmae.codec.container.chunks import chunk, pack_chunk, pack_preamble, parse_header, read_payload
from hstmae.codec.container.index import pack_end, pack_index
from hstmae.codec.jobs.encode_one import encode_source
from hstmae.codec.jobs.inputs import find_input
from hstmae.codec.jobs.joining import join_files
from hstmae.codec.jobs.tasks import Settings, Task, task_of
from hstmae.codec.session.reader import HstReader
from hstmae.data.sources.settling import looked_at
from hstmae.data.sources.video import VideoOptions
from hstmae.data.store.jobs import TASK
from hstmae.executor import batches
from hstmae.executor.on_ray import AHEAD, RayExecutor, _pack, _unpack

DAY, BACK, NOTICED = 86_400.0, 300.0, 10.0  # seconds
TASKS = 1000  # of Ray that do nothing
WORKERS = (1, 2, 10, 100, 300, 1000)
PARTS = 20


class Spent:
    """Context manager: processor seconds of this process."""

    def __enter__(self) -> Spent:
        self._began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self._began


def driver_and_tasks(recordings: Path, most: int = 6) -> dict[str, Any]:
    """What an episode costs the driver, and processor seconds a frame of each of some episodes."""
    with Spent() as listing:
        found = find_input(recordings, None, VideoOptions(), [], None)
    frames = sum(episode.size for episode in found.episodes)
    tasks = [task_of(e, k, found.game, e.name, Settings()) for k, e in enumerate(found.episodes)][:most]
    looked: list[Task] = []
    with Spent() as looking:
        for task in tasks:
            looked.append(replace(task, episode=looked_at(task.episode)))
    coded, rates, packing = [], [], 0.0
    for task in looked:
        with Spent() as coding:
            pieces = list(encode_source(task, lambda count: None))
        rates.append(coding.seconds / max(task.episode.size, 1))
        packed = [_pack(piece) for piece in pieces]
        with Spent() as own:
            _pack([(0, task)])
            coded.append([_unpack(piece) for piece in packed])
        packing += own.seconds
    return {
        "list_s_per_frame": listing.seconds / frames, "look_s": looking.seconds / len(tasks),
        "pack_s_per_frame": packing / sum(task.episode.size for task in tasks), "encode_s_per_frame": rates,
    }  # fmt: skip


def ray_tasks() -> dict[str, Any]:
    """Processor seconds of the driver for each task that does nothing, by how many are on their way."""
    found = {}
    nothing = partial(batches, most=1.0)  # of no items: a function that the processes of Ray can import
    for way in (2, 20, 200, 1000):
        with RayExecutor(nothing, print, address="ray", workers=way, ordered=False) as executor:
            executor.submit(())
            executor.finish()  # processes are there
            with Spent() as spent:
                for _ in range(TASKS):
                    executor.submit(())
                executor.finish()
        found[str(way)] = spent.seconds / TASKS
    return found


def join_rate(file: Path, episodes: int) -> dict[str, float]:
    """Joining PARTS files with so many copies of the file's first episode."""
    with tempfile.TemporaryDirectory() as folder, HstReader(file) as reader:
        data, told = reader.data, reader.episodes()[0]
        head, own = b"", []
        for offset, header in reader.contents.table:
            if header.episode == chunks.NO_EPISODE:
                head = bytes(data[offset : offset + header.size])
            elif header.episode == reader.entries[0].number:
                own.append((header, bytes(read_payload(data, offset, header) or b"")))
        for part in range(PARTS):
            out = bytearray(pack_preamble())
            table = [(len(out), header) for header in [parse_header(memoryview(head), 0)] if header is not None]
            out += head
            for number in range(part * episodes // PARTS, (part + 1) * episodes // PARTS):
                for header, payload in own:
                    packed = pack_chunk(replace(header, episode=number), payload)
                    if header.kind == chunks.EPISODE:
                        named = replace(told, name=f"e{number}", frames=told.frames if header.flags else -1)
                        packed = named.pack(number)
                    made = parse_header(memoryview(packed), 0)
                    assert made is not None
                    table.append((len(out), made))
                    out += packed
            at = len(out)
            out += chunk(chunks.INDEX, pack_index(table)) + pack_end(at)
            (Path(folder) / f"{part:03}.hst").write_bytes(out)
        parts = sorted(Path(folder).glob("*.hst"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with Spent() as spent:
            join_files(parts, Path(folder) / "out.hst")
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        with Spent() as opening:
            HstReader(Path(folder) / "out.hst").close()
    return {"episodes": episodes, "chunks": len(own), "join_s": spent.seconds / episodes,
            "join_bytes": grown / episodes, "open_s": opening.seconds / episodes}  # fmt: skip


def simulate(
    durations: np.ndarray, frames: np.ndarray, workers: int, costs: dict[str, Any], now: bool, rng: np.random.Generator
) -> dict[str, float]:
    """Hours until all tasks are taken, the share of the workers' time that is used, and of the driver's."""
    own = 0.0 if now else costs["look_s"]  # of an episode, in the driver
    if now:  # neighbours together
        ends = np.flatnonzero(np.diff(np.cumsum(frames) // min(TASK, max(1, frames.sum() / workers / 8)), append=-1))
        counts = np.diff(ends, prepend=-1)
        durations = np.add.reduceat(durations + costs["look_s"], np.concatenate([[0], ends[:-1] + 1]))
    else:
        counts = np.ones(len(durations), np.int64)
    pack = costs["pack_s_per_frame"] * float(frames.mean())
    way = costs["ray_s"]
    each = float(np.interp(AHEAD * workers, [int(k) for k in way], [*way.values()]))
    free = [0.0] * workers
    driver = busy = used = 0.0
    going: list[tuple[float, int]] = []  # by their ends, or by their numbers
    lost = rng.random(len(durations)) < durations / DAY
    for k, (long, count) in enumerate(zip(durations.tolist(), counts.tolist(), strict=True)):
        while len(going) >= AHEAD * workers:
            end, _ = heapq.heappop(going) if now else going.pop(0)
            driver = max(driver, end) + each / 2
            busy += each / 2
        cost = each / 2 + count * (own + pack)
        driver, busy, used = driver + cost, busy + cost, used + long
        start = max(heapq.heappop(free), driver)
        end = start + long
        if lost[k]:
            died = start + long * rng.random()
            heapq.heappush(free, died + BACK)
            start = max(heapq.heappop(free), died + NOTICED)
            end = start + long
        heapq.heappush(free, end)
        if now:
            heapq.heappush(going, (end, k))
        else:
            going.append((end, k))
    last = max([driver, *(end for end, _ in going)])
    return {"hours": last / 3600, "workers_used": used / workers / last, "driver_used": min(1.0, busy / last)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--episodes", type=int, default=10**6)
    parser.add_argument("--measured", type=Path, metavar="FILE", help="costs of an earlier run")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.measured:
        costs = json.loads(args.measured.read_text())["costs"]
    else:
        costs = driver_and_tasks(args.recordings)
        costs |= {"ray_s": ray_tasks(), "join": join_rate(args.file, 4000)}
    print(json.dumps(costs, indent=2), file=sys.stderr)
    rng = np.random.default_rng(0)
    rates = np.array(costs["encode_s_per_frame"])
    rows = []
    for mean in (1800, 120):
        frames = np.maximum(rng.gamma(2.0, mean / 2, args.episodes), 2).astype(np.int64)
        durations = frames * rng.choice(rates, args.episodes)
        for workers in WORKERS:
            for now in (False, True):
                row: dict[str, Any] = {"frames": mean, "workers": workers, "how": "now" if now else "plain"}
                row |= simulate(durations, frames, workers, costs, now, rng)
                print(json.dumps(row), file=sys.stderr, flush=True)
                rows.append(row)
    figures = {"costs": costs, "rows": rows}
    if args.json:
        write_json(args.json, figures)


if __name__ == "__main__":
    main()
