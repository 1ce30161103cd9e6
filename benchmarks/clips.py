"""Random clips out of a .hst file beside the same frames in other forms, in one run: frames per CPU second, and bytes.

    python benchmarks/clips.py FILE.hst [--clips 200] [--train STEPS [--s3]] [--json FILE]

Every row reads clips of 16 frames at stride 4, whole pictures without state, through its usual reader: this project's
store; a folder of PNG files by Pillow; a LeRobot data set whose pictures are PNG in parquet (read into memory before,
as that library does by its Arrow cache) and one whose pictures are H.264 (`hstmae exchange --to lerobot`), by PyAV, a
seek for each clip; a zarr array in chunks of 16 frames packed by zstd. Speed counts the processor time of all threads.
`first` is the file's first pass, in which groups are decoded, in the order that serves them; `again` the same clips
afterwards, when groups lie packed in memory. --train runs so many steps of hst-mae-nano on the file, with --s3 out of
an S3 server (moto) of this machine, and tells which share of their time, the first one's included, is spent waiting for
clips. --clips 0 leaves the rows out.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hstmae import cli
from hstmae.atomic import write_json
from hstmae.codec.session.as_store import HstStore
from hstmae.codec.session.reader import HstReader
from hstmae.data import EpisodeStore
from hstmae.data.clips.dataset import ClipDataset

CLIP, STRIDE = 16, 4


def size_of(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def run(*words: object) -> None:
    if cli.main([str(word) for word in words]):
        raise SystemExit(f"failed: {' '.join(map(str, words))}")


class Rows:
    """Collects figures."""

    def __init__(self, frames: int, clips: int) -> None:
        self.frames, self.clips, self.found = frames, clips, list[dict[str, Any]]()

    def add(self, name: str, size: int, read: Callable[[int], object]) -> None:
        began = time.process_time()
        for index in range(self.clips):
            read(index)
        speed = self.clips * CLIP / (time.process_time() - began)
        print(f"{name}: {speed:,.0f} frames per CPU second, {size:,} bytes", file=sys.stderr)
        self.found.append({"form": name, "frames_per_cpu_second": speed, "bytes": size, "frames": self.frames})


def dataset(store: Any) -> ClipDataset:
    return ClipDataset(store, clip=CLIP, stride=STRIDE, crop=0, with_state=False, seed=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--train", type=int, default=0, metavar="STEPS")
    parser.add_argument("--s3", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        temp = Path(folder)
        rows = Rows(HstStore(args.file).frames, args.clips)
        ours = dataset(HstStore(args.file))
        draws = [ours.draw(k) for k in range(args.clips)]  # the same clips for every row
        if draws:
            rows.add(".hst, first", size_of(args.file), ours.random)
            rows.add(".hst, again", size_of(args.file), ours.random)
            others(args.file, temp, rows, [(draw.episode, draw.start) for draw in draws])
        figures: dict[str, Any] = {"rows": rows.found}
        if args.train and args.s3:
            with in_a_bucket(args.file) as address:
                figures["waiting"] = waiting(address, temp, args.train)
        elif args.train:
            figures["waiting"] = waiting(str(args.file), temp, args.train)
    print(json.dumps(figures, indent=2))
    if args.json:
        write_json(args.json, figures)


def others(file: Path, temp: Path, rows: Rows, draws: list[tuple[int, int]]) -> None:
    """The rows of all other forms."""
    with HstReader(file) as reader:
        names = [d.name for d in reader.episodes()]
        fps = reader.episodes()[0].fps
    run("decode", file, temp / "store", "--to", "store", "--workers", 1)
    store = EpisodeStore(temp / "store")

    def from_store(index: int) -> np.ndarray:
        episode, start = draws[index]
        return store.column(names[episode], "frames", start + STRIDE * np.arange(CLIP))

    rows.add("store", size_of(temp / "store"), from_store)
    run("decode", file, temp / "png", "--to", "png", "--workers", 1)
    pictures = [sorted((temp / "png" / name if len(names) > 1 else temp / "png").glob("*.png")) for name in names]

    def from_png(index: int) -> np.ndarray:
        episode, start = draws[index]
        return np.stack([np.asarray(Image.open(p)) for p in pictures[episode][start : start + STRIDE * CLIP : STRIDE]])

    rows.add("PNG files", size_of(temp / "png"), from_png)
    run("exchange", file, temp / "images", "--to", "lerobot")
    import pyarrow.parquet as pq

    table = pq.read_table(temp / "images" / "data", columns=["episode_index", "observation.image"])
    packed = table.column("observation.image").to_pylist()
    firsts = np.searchsorted(table.column("episode_index").to_numpy(), np.arange(len(names)))

    def from_parquet(index: int) -> np.ndarray:
        episode, start = draws[index]
        at = firsts[episode] + start + STRIDE * np.arange(CLIP)
        return np.stack([np.asarray(Image.open(io.BytesIO(packed[k]["bytes"]))) for k in at])

    rows.add("LeRobot, images", size_of(temp / "images"), from_parquet)
    run("exchange", file, temp / "films", "--to", "lerobot", "--video")
    films = sorted((temp / "films" / "videos").rglob("*.mp4"))

    def from_films(index: int) -> np.ndarray:
        import av

        episode, start = draws[index]
        wanted = [start + STRIDE * k for k in range(CLIP)]
        with av.open(str(films[episode])) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            container.seek(int(start / fps / stream.time_base), stream=stream)
            found = {}
            for frame in container.decode(stream):
                number = round(float(frame.pts * stream.time_base) * fps)
                if number in wanted:
                    found[number] = frame.to_ndarray(format="rgb24")
                if number >= wanted[-1]:
                    break
        return np.stack([found[number] for number in wanted])

    rows.add("LeRobot, mp4", size_of(temp / "films"), from_films)
    try:
        import zarr
        from zarr.codecs import ZstdCodec
    except ImportError:
        print("no row of zarr: pip install 'hstmae[bench]'", file=sys.stderr)
        return
    arrays = []
    for name in names:
        frames = store[name].frames
        arrays.append(zarr.create_array(
            str(temp / "zarr" / name), shape=frames.shape, chunks=(16, *frames.shape[1:]), dtype="uint8",
            compressors=ZstdCodec(level=12),
        ))  # fmt: skip
        arrays[-1][:] = frames

    def from_zarr(index: int) -> np.ndarray:
        episode, start = draws[index]
        return np.asarray(arrays[episode][start : start + STRIDE * CLIP : STRIDE])

    rows.add("zarr", size_of(temp / "zarr"), from_zarr)


def waiting(file: str, temp: Path, steps: int) -> dict[str, float]:
    """Of a Nano run of so many steps: seconds until its clips could be asked for, of the first wait, of all waits, and
    of all steps from the first question on; `share` is the waits' part of these."""
    from hstmae.data.clips.prefetch import Prefetcher

    waits: list[float] = []
    ends: list[float] = []
    ask, opens, opened = Prefetcher.__next__, HstStore.__init__, [0.0]

    def timed(self: Prefetcher) -> Any:
        began = time.perf_counter()
        found = ask(self)
        ends.append(time.perf_counter())
        waits.append(ends[-1] - began)
        return found

    def timed_open(self: HstStore, *args: Any, **options: Any) -> None:
        began = time.perf_counter()
        opens(self, *args, **options)
        opened[0] += time.perf_counter() - began

    Prefetcher.__next__ = timed  # type: ignore[method-assign]
    HstStore.__init__ = timed_open  # type: ignore[method-assign]
    began = time.process_time()
    run(
        "train", "--config", "mae_nano", "--data", file, "--out", temp / "run", "--set", f"train.steps={steps}",
        "--set", "train.val_clips=0", "--set", "train.threads=1",
    )  # fmt: skip
    whole = time.perf_counter() - (ends[0] - waits[0])
    return {"steps": steps, "open_s": opened[0], "first_wait_s": waits[0], "waited_s": sum(waits), "seconds": whole,
            "share": sum(waits) / whole, "cpu_s": time.process_time() - began}  # fmt: skip


@contextmanager
def in_a_bucket(file: Path) -> Iterator[str]:
    """The file's address in an S3 server of this machine, in a process of its own."""
    from hstmae.remote.files import file_system

    script = "import sys; from moto.server import ThreadedMotoServer as S; s = S('127.0.0.1', 0, False); s.start(); "
    script += "print(*s.get_host_and_port(), flush=True); sys.stdin.read()"
    server = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None and server.stdout is not None
    host, port = server.stdout.readline().split()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a",
                   "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    try:
        fs, _ = file_system("s3://sessions")
        fs.mkdir("sessions")
        fs.put_file(str(file), f"sessions/{file.name}")
        yield f"s3://sessions/{file.name}"
    finally:
        server.stdin.close()
        server.wait()


if __name__ == "__main__":
    main()
