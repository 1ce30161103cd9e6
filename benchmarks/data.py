"""Speed and size of the store, beside reading the same clips from PNG files, from zarr, and from memory.

    python benchmarks/data.py --input_dir RECORDINGS [--store DIR] [--clips 200] [--device cpu] [--json FILE]

RECORDINGS is in smbdataset layout. Without --store they are preprocessed first, and that is timed as well; without
--input_dir the rows that need the PNG files are left out. Clip reading is timed in CPU seconds of one thread, so that
figures of busy machines can be compared; all rows read the same clips. Rows named `first` unpack every group for the
first time after opening, and check the checksum of its content; `again` rows meet groups that were checked before.
Clips in memory on a GPU are timed by the clock, since the CPU only starts the work there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hstmae.data import EpisodeStore
from hstmae.data.dataset import ClipDataset
from hstmae.data.preprocessing import preprocess
from hstmae.data.resident import ResidentClips
from hstmae.data.sources.smbdataset import find_episodes
from hstmae.errors import DataError


def frames_per_cpu_second(read: Callable[[int], Any], clips: int, frames: int) -> float:
    read(0)  # open files and load modules outside of the timing
    started = time.process_time()
    for index in range(clips):
        read(index)
    return clips * frames / (time.process_time() - started)


def png_reader(folder: Path, data: ClipDataset) -> Callable[[int], np.ndarray]:
    """The same random clips, pixels only, straight from the PNG files with Pillow."""
    from PIL import Image

    paths: dict[str, list[Path]] = {}
    for episode in find_episodes(folder):
        numbered = sorted((int(name.split("_f")[-1].split("_")[0]), name) for name, _, _ in episode.files)
        paths[episode.name] = [episode.folder / name for _, name in numbered]
    wanted: dict[int, tuple[str, list[int]]] = {}

    def read(index: int) -> np.ndarray:
        episode, indices = wanted[index]
        pictures = []
        for i in indices:
            with Image.open(paths[episode][i]) as picture:
                pictures.append(np.asarray(picture))
        return np.stack(pictures)

    def choose(index: int) -> np.ndarray:
        if index not in wanted:
            clip = data.random(index)
            wanted[index] = (clip.episode, clip.indices.tolist())
        return read(index)

    return choose


def zarr_reader(store: EpisodeStore, data: ClipDataset, folder: Path, clips: int) -> Callable[[int], np.ndarray]:
    """The same random clips, pixels only, from a zarr array per episode in groups of 16 frames, packed with zstd.

    Raises ImportError where zarr is not installed.
    """
    import zarr

    arrays: dict[int, Any] = {}
    for position in sorted({data.draw(index).episode for index in range(clips)}):
        frames = store.read(position, range(store.info(position).frames), ()).frames
        chunks = (16, *frames.shape[1:])
        array = zarr.open(str(folder / f"{position}"), mode="w", shape=frames.shape, chunks=chunks, dtype="uint8")
        array[:] = frames
        arrays[position] = array

    def read(index: int) -> np.ndarray:
        draw = data.draw(index)
        last = draw.start + data.stride * (data.length - 1)
        return np.asarray(arrays[draw.episode][draw.start : last + 1 : data.stride])

    return read


def resident_figures(data: ClipDataset, device: str, limit: float | None, clips: int) -> dict[str, float]:
    """Frames per second of batches of 8 clips out of memory: CPU seconds, or seconds by the clock on a GPU."""
    import torch

    resident = ResidentClips(data, device, limit=None if limit is None else int(limit * 2**30))
    on_gpu = resident.device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    batches = max(clips // 8, 1)
    resident.batch(0, 8)
    started = clock()
    for step in range(batches):
        resident.batch(step, 8)
    if on_gpu:
        torch.cuda.synchronize(resident.device)
    name = "second" if on_gpu else "cpu_second"
    return {
        f"resident_frames_per_{name}": batches * 8 * data.length / (clock() - started),
        "resident_bytes_per_frame": resident.bytes / resident.frames,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input_dir", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--clip", type=int, default=16)
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="where clips are kept in memory")
    parser.add_argument("--resident_gib", type=float, help="memory that they may take; without it nearly all")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.input_dir is None and args.store is None:
        parser.error("give --input_dir, --store or both")
    import torch

    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temp:
        if args.store is None:
            args.store = Path(temp) / "store"
            summary = preprocess(args.input_dir, args.store, workers=args.workers, progress=True)
            figures["preprocessing_frames_per_second"] = summary.frames_per_second
        store = EpisodeStore(args.store)
        size = sum(path.stat().st_size for path in store.path.rglob("*") if path.is_file())
        figures["store_bytes_per_frame"] = size / store.frames
        if args.input_dir is not None:
            files = [size for episode in find_episodes(args.input_dir) for _, size, _ in episode.files]
            figures["png_bytes_per_frame"] = sum(files) / len(files)
            figures["size_ratio"] = figures["png_bytes_per_frame"] / figures["store_bytes_per_frame"]
        shape = {"clip": args.clip, "stride": args.stride}

        def dataset(**settings: Any) -> ClipDataset:
            """On a store opened anew, of which nothing was read yet."""
            return ClipDataset(EpisodeStore(args.store), **shape, **settings)

        for name, settings in (("pixels", {"crop": 0, "with_state": False}), ("pixels_and_state", {"crop": 0})):
            read = dataset(**settings).random
            for turn in ("first", "again"):
                speed = frames_per_cpu_second(read, args.clips, args.clip)
                figures[f"store_{name}_{turn}_frames_per_cpu_second"] = speed
        crops, pixels = dataset(crop=224), dataset(crop=0, with_state=False)
        for _ in range(2):
            speed = frames_per_cpu_second(lambda step: crops.batch(step, 8), max(args.clips // 8, 1), 8 * args.clip)
        figures["store_batches_of_8_again_frames_per_cpu_second"] = speed
        notes = []
        for name, data in (("pixels", dataset(crop=224, with_state=False)), ("state", crops)):
            try:
                for key, value in resident_figures(data, args.device, args.resident_gib, args.clips).items():
                    figures[f"{key.replace('resident', f'resident_{name}')}"] = value
            except DataError as error:
                notes.append(f"no clips in memory: {error}")
        try:
            from_zarr = zarr_reader(store, pixels, Path(temp) / "zarr", args.clips)
            figures["zarr_pixels_frames_per_cpu_second"] = frames_per_cpu_second(from_zarr, args.clips, args.clip)
        except ImportError:
            notes.append("no row for zarr: it is not installed (pip install zarr)")
        names = set() if args.input_dir is None else {episode.name for episode in find_episodes(args.input_dir)}
        if names >= {info.name for info in store.infos()}:
            from_png = png_reader(args.input_dir, pixels)
            for index in range(args.clips):
                from_png(index)  # chooses the clips, and brings the files into the page cache
            figures["png_pixels_frames_per_cpu_second"] = frames_per_cpu_second(from_png, args.clips, args.clip)
            figures["speed_ratio_pixels"] = (
                figures["store_pixels_again_frames_per_cpu_second"] / figures["png_pixels_frames_per_cpu_second"]
            )
    figures = {name: round(value, 1) for name, value in figures.items()} | ({"notes": notes} if notes else {})
    print(json.dumps(figures, indent=2))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
