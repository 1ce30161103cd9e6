"""Speed and size of the store, beside reading the same clips from the folder of PNG files it was made of.

    python benchmarks/data.py --input_dir RECORDINGS [--store DIR] [--clips 200] [--json FILE]

RECORDINGS is in smbdataset layout. Without --store they are preprocessed first, and that is timed as well. Clip reading
is timed in CPU seconds of one thread, so that figures of busy machines can be compared; both sides read the same clips.
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
from hstmae.data.sources.smbdataset import find_episodes


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input_dir", required=True, type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--clip", type=int, default=16)
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temp:
        if args.store is None:
            args.store = Path(temp) / "store"
            summary = preprocess(args.input_dir, args.store, workers=args.workers, progress=True)
            figures["preprocessing_frames_per_second"] = summary.frames_per_second
        store = EpisodeStore(args.store)
        size = sum(path.stat().st_size for path in store.path.rglob("*") if path.is_file())
        files = [size for episode in find_episodes(args.input_dir) for _, size, _ in episode.files]
        figures["store_bytes_per_frame"] = size / store.frames
        figures["png_bytes_per_frame"] = sum(files) / len(files)
        figures["size_ratio"] = figures["png_bytes_per_frame"] / figures["store_bytes_per_frame"]
        shape = {"clip": args.clip, "stride": args.stride}
        pixels = ClipDataset(store, **shape, crop=0, with_state=False)
        whole = ClipDataset(store, **shape, crop=0)
        crops = ClipDataset(store, **shape, crop=224)
        readers: dict[str, Callable[[int], Any]] = {
            "store_pixels": pixels.random,
            "store_pixels_and_state": whole.random,
            "store_batches_of_8": lambda index: crops.batch(index, 8),
        }
        for name, read in readers.items():
            count = args.clips // 8 if "batches" in name else args.clips
            frames = args.clip * (8 if "batches" in name else 1)
            figures[f"{name}_frames_per_cpu_second"] = frames_per_cpu_second(read, count, frames)
        names = {episode.name for episode in find_episodes(args.input_dir)}
        if names >= {info.name for info in store.infos()}:
            from_png = png_reader(args.input_dir, pixels)
            for index in range(args.clips):
                from_png(index)  # chooses the clips, and brings the files into the page cache
            figures["png_pixels_frames_per_cpu_second"] = frames_per_cpu_second(from_png, args.clips, args.clip)
            figures["speed_ratio_pixels"] = (
                figures["store_pixels_frames_per_cpu_second"] / figures["png_pixels_frames_per_cpu_second"]
            )
    figures = {name: round(value, 1) for name, value in figures.items()}
    print(json.dumps(figures, indent=2))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
