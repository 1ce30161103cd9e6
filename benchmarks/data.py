"""Clip reading, side by side: the store, a folder of PNG files, a zarr store, and clips kept in memory.

    python benchmarks/data.py --store DIR [--input_dir RECORDINGS ...] [--clips 400] [--json FILE]

All rows read the same random clips, cropped alike. Speed is frames per CPU second, over all threads of the process, so
that figures of busy machines can be compared; where clips lie on a GPU it is frames per second by the clock, since the
CPU only starts the work there. Files are in the page cache; a store is opened anew for every row. `first` rows meet
groups of frames that this process has not unpacked before, as training does on a store that is larger than any cache;
`again` rows read the same clips a second time.

RECORDINGS are in smbdataset layout and hold the store's episodes; without them there is no row of PNG files. Without
--store they are preprocessed first, and that is timed as well. The row of zarr needs `pip install hstmae[bench]`.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hstmae.atomic import replacing
from hstmae.data import EpisodeStore
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.clips.resident import ResidentClips
from hstmae.data.store.preprocessing import preprocess
from hstmae.errors import DataError

BATCH = 8  # clips
_CHUNK = 16  # frames of a zarr chunk, as many as the store has in a group
_NUMBER = re.compile(r"_f(\d+)_")
Row = dict[str, Any]


def timed(read: Callable[[int], Any], calls: int, frames: int, clock: Callable[[], float] = time.process_time) -> float:
    """Frames per second of `read(0)`, `read(1)` ..., each of which gives `frames`."""
    began = clock()
    for index in range(calls):
        read(index)
    return calls * frames / (clock() - began)


class Benchmark:
    """What all rows have in common: the clips, and where figures are collected."""

    def __init__(self, store: Path, clips: int, shape: dict[str, int], temp: Path) -> None:
        self.path, self.clips, self.shape, self.temp = store, clips, shape, temp
        self.rows: list[Row] = []
        self.notes: list[str] = []

    def dataset(self, **settings: Any) -> ClipDataset:
        """On a store that was opened anew and of which nothing but the indices was read."""
        store = EpisodeStore(self.path)
        for info in store.infos():
            store.frame_numbers(info.name)
        return ClipDataset(store, **{**self.shape, **settings})

    def add(self, reader: str, speed: float, size: float | None, per: str = "CPU second") -> None:
        print(f"{reader}: {speed:,.0f} frames per {per}", file=sys.stderr)
        self.rows.append({"reader": reader, "frames_per": per, "speed": speed, "bytes_per_frame": size})

    def store_rows(self) -> None:
        store = EpisodeStore(self.path)
        for file in self.path.rglob("data.bin"):
            file.read_bytes()  # into the page cache
        taken: dict[bool, float] = {}
        for state in (False, True):
            columns = {"frames", "state", "context"} if state else {"frames"}
            data = self.dataset(with_state=state)
            packed = sum(store.packed_bytes(info.name, name) for info in store.infos() for name in columns)
            taken[state] = packed / store.frames
            warm_up = self.dataset(with_state=state, seed=1)
            for index in range(3):
                warm_up.random(index)
                warm_up.batch(index, BATCH)
            what = "pixels and state" if state else "pixels"
            for turn in ("first", "again"):
                speed = timed(data.random, self.clips, self.frames)
                self.add(f"store, clip by clip, {what}, {turn}", speed, taken[state])
            data = self.dataset(with_state=state)
            for turn in ("first", "again"):
                speed = timed(lambda step, data=data: data.batch(step, BATCH), self.batches, BATCH * self.frames)  # type: ignore[misc]
                self.add(f"store, batches of {BATCH}, {what}, {turn}", speed, taken[state])

    @property
    def frames(self) -> int:
        """Of a clip."""
        return self.shape["clip"]

    @property
    def batches(self) -> int:
        return max(self.clips // BATCH, 1)

    def png_row(self, folders: list[Path]) -> None:
        """The same clips, pixels only, with Pillow."""
        from PIL import Image

        data, paths, size = self.dataset(with_state=False), dict[str, list[Path]](), 0
        for info in data.store.infos():
            found = [folder / info.name for folder in folders if (folder / info.name).is_dir()]
            files = [
                (int(m[1]), path) for folder in found for path in folder.iterdir() if (m := _NUMBER.search(path.name))
            ]
            if len(files) != info.frames:
                self.notes.append(f"no row of PNG files: {len(files)} of {info.frames} frames of {info.name} are there")
                return
            paths[info.name] = [path for _, path in sorted(files)]
        draws = [data.draw(index) for index in range(self.clips)]
        for draw in draws:  # into the page cache
            chosen = paths[data.store.info(draw.episode).name]
            size += sum(len(chosen[row].read_bytes()) for row in self._indices(data, draw.start))

        def read(index: int) -> np.ndarray:
            draw = draws[index]
            chosen, window = paths[data.store.info(draw.episode).name], self._window(data, draw.origin)
            return np.stack([np.asarray(Image.open(chosen[row]))[window] for row in self._indices(data, draw.start)])

        read(0)
        self.add("PNG files, pixels", timed(read, self.clips, self.frames), size / (self.clips * self.frames))

    def zarr_row(self) -> None:
        """The same clips, pixels only, from an array per episode in chunks of _CHUNK frames, packed with zstd."""
        try:
            import zarr
            from zarr.codecs import ZstdCodec
        except ImportError:
            self.notes.append("no row of zarr: it is not installed (pip install hstmae[bench])")
            return
        data = self.dataset(with_state=False)
        draws = [data.draw(index) for index in range(self.clips)]
        arrays: dict[int, Any] = {}
        chunks = {(draw.episode, row // _CHUNK) for draw in draws for row in self._indices(data, draw.start)}
        frames = 0
        for episode, chunk in sorted(chunks):  # the others are left empty
            info = data.store.info(episode)
            if episode not in arrays:
                shape = info.columns["frames"].shape
                arrays[episode] = zarr.create_array(
                    str(self.temp / "zarr" / f"{episode}"),
                    shape=(info.frames, *shape),
                    chunks=(_CHUNK, *shape),
                    dtype="uint8",
                    compressors=ZstdCodec(level=12),
                )
            rows = np.arange(_CHUNK * chunk, min(_CHUNK * (chunk + 1), info.frames))
            arrays[episode][rows[0] : rows[-1] + 1] = data.store.column(episode, "frames", rows)
            frames += len(rows)
        size = sum(file.stat().st_size for file in (self.temp / "zarr").rglob("*") if file.is_file())

        def read(index: int) -> np.ndarray:
            draw = draws[index]
            rows = self._indices(data, draw.start)
            return np.asarray(arrays[draw.episode][(slice(rows[0], rows[-1] + 1, data.stride))])[
                (slice(None), *self._window(data, draw.origin))
            ]

        read(0)
        self.add("zarr, pixels", timed(read, self.clips, self.frames), size / frames)

    def resident_row(self, device: str, split: str, limit: float | None) -> None:
        """Batches out of the memory of a device. The clips are those of one split, since all of it is kept there."""
        for state in (False, True):
            try:
                data = self.dataset(with_state=state, splits=(split,) if split else ())
                kept = ResidentClips(data, device, limit=None if limit is None else int(limit * 2**30))
            except DataError as error:
                self.notes.append(f"no clips in memory of {device}: {error}")
                return
            on_gpu = kept.device.type == "cuda"

            def batch(step: int, kept: ResidentClips = kept, on_gpu: bool = on_gpu) -> None:
                kept.batch(step, BATCH)
                if on_gpu:
                    torch.cuda.synchronize(kept.device)

            for step in range(3):
                batch(step)
            speed = timed(batch, self.batches, BATCH * self.frames, time.perf_counter if on_gpu else time.process_time)
            name = f"memory of {device}, batches of {BATCH}, {'pixels and state' if state else 'pixels'}"
            self.add(name, speed, kept.bytes / kept.frames, "second" if on_gpu else "CPU second")

    @staticmethod
    def _indices(data: ClipDataset, start: int) -> list[int]:
        return [start + data.stride * k for k in range(data.length)]

    @staticmethod
    def _window(data: ClipDataset, origin: tuple[int, int]) -> tuple[slice, slice]:
        (y, x), (height, width) = origin, data.clip_size(data.store.info(0).size)
        return slice(y, y + height), slice(x, x + width)


def hardware() -> str:
    name = platform.processor() or platform.machine()
    with suppress(OSError, IndexError):  # not Linux, or a processor that has no name there
        name = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())[0]
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}{gpu}; Python {platform.python_version()}, numpy {np.__version__}, torch {torch.__version__}"


def table(rows: list[Row]) -> str:
    """Markdown; ratios are to the row of PNG files."""
    png = next((row["speed"] for row in rows if row["reader"].startswith("PNG")), None)
    lines = ["| reader | frames / CPU second | x PNG | bytes / frame |", "|---|---:|---:|---:|"]
    for row in rows:
        speed = f"{row['speed']:,.0f}" + ("" if row["frames_per"] == "CPU second" else " (clock)")
        ratio = "" if png is None or row["frames_per"] != "CPU second" else f"{row['speed'] / png:.1f}"
        lines.append(f"| {row['reader']} | {speed} | {ratio} | {row['bytes_per_frame']:,.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input_dir", type=Path, nargs="+", default=[])
    parser.add_argument("--store", type=Path)
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--clip", type=int, default=16)
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--workers", type=int, default=0, help="processes that preprocess, 0 = one per core")
    parser.add_argument("--device", nargs="+", help="where clips are kept in memory (default: cpu, and cuda if any)")
    parser.add_argument("--resident_split", default="val", help="which clips are kept in memory; '' = all")
    parser.add_argument("--resident_gib", type=float, help="memory that they may take; without it nearly all")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if not args.input_dir and args.store is None:
        parser.error("give --input_dir, --store or both")
    torch.set_num_threads(1)
    figures: dict[str, Any] = {"hardware": hardware(), "clips": args.clips}
    with tempfile.TemporaryDirectory() as temp:
        if args.store is None:
            args.store, began, frames = Path(temp) / "store", time.perf_counter(), 0
            for folder in args.input_dir:
                preprocess(folder, args.store, workers=args.workers, progress=True)
            frames = EpisodeStore(args.store).frames
            figures["preprocessing_frames_per_second"] = frames / (time.perf_counter() - began)
        shape = {"clip": args.clip, "stride": args.stride, "crop": args.crop}
        run = Benchmark(args.store, args.clips, shape, Path(temp))
        run.store_rows()
        if args.input_dir:
            run.png_row(args.input_dir)
        run.zarr_row()
        for device in args.device or (["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]):
            run.resident_row(device, args.resident_split, args.resident_gib)
    figures |= {"rows": run.rows, "notes": run.notes}
    print(figures["hardware"], table(run.rows), *run.notes, sep="\n")
    if args.json:
        with replacing(args.json) as path:
            path.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
