"""Speed and memory of restoration and of a training step, beside VideoMAE and a dense ViT of the same size.

    python benchmarks/model.py [--variants nano,tiny,small] [--device cpu|cuda] [--quick] [--json FILE]

Every row restores, or trains on, the same clip of the bundled sample session, 16 frames of 224x224 with 90 % of the
units hidden. Weights are random: they do not change the cost. Each row runs in a process of its own, so that the peak
of memory is its own; it is what the run adds to the loaded model. Times are medians after a warm-up.

* `hst`: our model with full state, to palette entries (uint8).
* `dense ViT`: all 1568 tokens through an encoder with as many parameters as ours and the same decoder width and depth.
* `VideoMAE ViT-B`: `VideoMAEForPreTraining` of Hugging Face (its encoder sees the visible tokens only, as ours does);
  its forward pass includes its loss. Needs `pip install hstmae[bench]`.
* `dual masking`: a training step (forward, loss, backward) that decodes all hidden cubes, and one that decodes half.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))
from dense_vit import DenseViT, encoder_shape

from hstmae.atomic import write_text
from hstmae.bundled import SAMPLES
from hstmae.data import EpisodeStore
from hstmae.data.clips.clip import ClipBatch, collate
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.preprocessing import preprocess
from hstmae.models import build_model
from hstmae.models.cubes import take_cubes, to_cubes
from hstmae.models.fast.head import FastHead
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import hidden_cubes, tube_visible
from hstmae.models.zoo import VARIANTS
from hstmae.training.losses.fused import reconstruction

SAMPLE = SAMPLES / "sample_session"
CLIP, SIDE, RATIO = 16, 224, 0.9
UNITS, SLICES = (SIDE // 16) ** 2, CLIP // 2
CLAIMED_SPEED, CLAIMED_MEMORY = 1.48, 0.5  # what dual masking is said to save in the literature


def load_batch(folder: str, batch: int, device: str) -> ClipBatch:
    data = ClipDataset(EpisodeStore(folder), clip=CLIP, stride=4, crop=SIDE, seed=0)
    return collate([data.random(i) for i in range(batch)]).to(device)


def hst_restore(name: str, data: ClipBatch) -> Callable[[], Any]:
    model = build_model(name).eval().to(data.frames.device)
    head = FastHead.of(model)
    assert head is not None
    visible = tube_visible(len(data.frames), UNITS, RATIO, torch.Generator().manual_seed(0)).to(data.frames.device)
    queries = hidden_cubes(visible, UNITS, SLICES)
    given = MaskedClips(data.frames, visible, data.state, origin=data.origin)

    def run() -> Any:
        with torch.inference_mode():
            done = model.decode(given, queries)
            return head.paint(done).entry

    return run


def dense_restore(name: str, data: ClipBatch) -> Callable[[], Any]:
    config = VARIANTS[name]
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build_model(name).encoder.parameters())
    dim, depth = encoder_shape(parameters)
    model = DenseViT(UNITS * SLICES, dim, depth, config.decoder_dim, config.decoder_depth)
    model = model.eval().to(data.frames.device)
    cubes, hidden = rgb_cubes(data)

    def run() -> Tensor:
        with torch.inference_mode():
            return (model(cubes, hidden)[hidden] * 255).clamp(0, 255).to(torch.uint8)

    return run


def rgb_cubes(data: ClipBatch) -> tuple[Tensor, Tensor]:
    """RGB cubes [B, N, 1536] in 0 .. 1, and which of them are hidden, bool [B, N]."""
    assert data.palette is not None
    b = len(data.frames)
    colours = data.palette[0][data.frames.long()].float() / 255
    cubes = to_cubes(colours).flatten(1, 2).flatten(2)
    visible = tube_visible(b, UNITS, RATIO, torch.Generator().manual_seed(0)).to(data.frames.device)
    hidden = torch.zeros(b, cubes.shape[1], dtype=torch.bool, device=cubes.device)
    return cubes, hidden.scatter(1, hidden_cubes(visible, UNITS, SLICES), True)


def videomae_restore(data: ClipBatch) -> Callable[[], Any]:
    from transformers import VideoMAEConfig, VideoMAEForPreTraining

    assert data.palette is not None
    model = VideoMAEForPreTraining(VideoMAEConfig()).eval().to(data.frames.device)
    pixels = (data.palette[0][data.frames.long()].float() / 255).permute(0, 1, 4, 2, 3)
    _, hidden = rgb_cubes(data)
    by_slice = hidden.unflatten(1, (UNITS, SLICES)).transpose(1, 2).flatten(1)  # its tokens run slice by slice

    def run() -> Any:
        with torch.inference_mode():
            return (model(pixels, bool_masked_pos=by_slice).logits * 255).clamp(0, 255).to(torch.uint8)

    return run


def training_step(name: str, data: ClipBatch, share: float) -> Callable[[], Any]:
    """Forward, loss and backward, decoding `share` of the hidden cubes."""
    model = build_model(name).train().to(data.frames.device)
    visible = tube_visible(len(data.frames), UNITS, RATIO, torch.Generator().manual_seed(0)).to(data.frames.device)
    queries = hidden_cubes(visible, UNITS, SLICES)[:, :: round(1 / share)]
    target = take_cubes(to_cubes(data.frames), queries)
    palette = data.palette
    assert palette is not None
    given = MaskedClips(data.frames, visible, data.state, origin=data.origin)

    def run() -> None:
        model.zero_grad(set_to_none=True)
        logits = model(given, queries)
        reconstruction(logits, target, palette, 0.5, shown=False)[0].backward()

    return run


def measure(row: dict[str, Any], folder: str, threads: int, repeats: int) -> dict[str, Any]:
    """Run one row in this process. Adds ms, clips_per_s, frames_per_s and peak_mb to it."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    device = row["device"]
    data = load_batch(folder, row["batch"], device)
    if row["kind"] == "hst":
        run = hst_restore(row["model"], data)
    elif row["kind"] == "dense":
        run = dense_restore(row["model"], data)
    elif row["kind"] == "videomae":
        run = videomae_restore(data)
    else:
        run = training_step(row["model"], data, row["share"])
    cuda = device == "cuda"
    times = []
    before = reset_peak(cuda)
    with torch.autocast(device, torch.bfloat16, enabled=cuda):
        for i in range(repeats + 1):
            started = time.perf_counter()
            run()
            if cuda:
                torch.cuda.synchronize()
            if i:
                times.append(time.perf_counter() - started)
    peak = (torch.cuda.max_memory_allocated() if cuda else peak_rss()) - before
    seconds = statistics.median(times)
    rates = {"clips_per_s": row["batch"] / seconds, "frames_per_s": CLIP * row["batch"] / seconds}
    return {**row, "ms": 1e3 * seconds, **rates, "peak_mb": peak / 2**20}


def reset_peak(cuda: bool) -> int:
    """Forget earlier peaks; bytes in use now."""
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        print("peak memory cannot be reset on this system: it includes loading the model", file=sys.stderr)
    return status_bytes("VmRSS")


def peak_rss() -> int:
    return status_bytes("VmHWM")


def status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def alone(row: dict[str, Any], *arguments: Any) -> dict[str, Any] | None:
    """`measure` in a fresh process; None where it ran out of GPU memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure, row, *arguments).result()
        except torch.OutOfMemoryError:
            return None


def best_batch(row: dict[str, Any], *arguments: Any) -> dict[str, Any] | None:
    """The batch, doubled as long as it gives 5 % more clips per second, with its figures."""
    best = None
    while (made := alone({**row, "batch": 2 * (best or row)["batch"]}, *arguments)) is not None:
        if best is not None and made["clips_per_s"] < 1.05 * best["clips_per_s"]:
            break
        best = made
    return best


def show(row: dict[str, Any]) -> None:
    print(
        f"{row['label']:38s} batch {row['batch']:3d}  {row['ms']:9.1f} ms  {row['clips_per_s']:8.2f} clips/s "
        f"{row['frames_per_s']:8.1f} frames/s  {row['peak_mb']:8.0f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", help="comma separated; default nano,tiny,small on a CPU, all on CUDA")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="nano only, two repeats, no VideoMAE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    some = "nano" if args.quick else "nano,tiny,small" if args.device == "cpu" else "nano,tiny,small,base,large"
    names = [f"hst-mae-{v.removeprefix('hst-mae-')}" for v in (args.variants or some).split(",")]
    unknown = [n for n in names if n not in VARIANTS]
    if unknown:
        parser.error(f"unknown variants {', '.join(unknown)}; known: {', '.join(VARIANTS)}")
    hardware = f"{args.threads} threads of {platform.processor() or platform.machine()}, float32"
    if args.device == "cuda":
        hardware = f"{torch.cuda.get_device_name()}, bfloat16 autocast"
    print(f"16 frames of 224x224, 90 % hidden; {hardware}, torch {torch.__version__}")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store")
        preprocess(SAMPLE, Path(store), workers=1, val_fraction=0)
        arguments = (store, args.threads, 2 if args.quick else args.repeats)

        def add(**row: Any) -> dict[str, Any] | None:
            made = alone({"device": args.device, "batch": 1, **row}, *arguments)
            found = [made]
            if args.device == "cuda" and not args.quick:
                found.append(best_batch({"device": args.device, "batch": 1, **row}, *arguments))
            for one in found:
                if one is not None:
                    rows.append(one)
                    show(one)
            return made

        restored = {n: (add(label=f"{n} restore", kind="hst", model=n), dense_row(add, n)) for n in names}
        other = None
        if args.quick:
            print("VideoMAE ViT-B: left out (--quick)")
        elif importlib.util.find_spec("transformers") is None:
            print("VideoMAE ViT-B: left out, transformers is not installed (pip install 'hstmae[bench]')")
        else:
            other = add(label="VideoMAE ViT-B, 90 % masked", kind="videomae")
        ratios: dict[str, Any] = {}
        for name, (ours, dense) in restored.items():
            ratios[name] = {}
            for key, that in (("speed_over_dense_vit", dense), ("speed_over_videomae_base", other)):
                if ours and that:
                    ratios[name][key] = ours["clips_per_s"] / that["clips_per_s"]
            ratios[name] |= dual_masking(add, name)
            print(f"  {name}: " + ", ".join(f"{k} {v:.2f}x" for k, v in ratios[name].items()))
    print(f"dual masking as claimed in the literature: {CLAIMED_SPEED}x as fast, {CLAIMED_MEMORY:.0%} of the memory")
    if args.json:
        report = {"hardware": hardware, "torch": torch.__version__, "rows": rows, "ratios": ratios}
        write_text(args.json, json.dumps(report, indent=2) + "\n")


def dense_row(add: Callable[..., dict[str, Any] | None], name: str) -> dict[str, Any] | None:
    return add(label=f"dense ViT, size of {name}", kind="dense", model=name)


def dual_masking(add: Callable[..., dict[str, Any] | None], name: str) -> dict[str, float]:
    whole = add(label=f"{name} training step, all hidden", kind="train", model=name, share=1.0)
    half = add(label=f"{name} training step, half", kind="train", model=name, share=0.5)
    if whole is None or half is None:
        return {}
    speed, memory = half["clips_per_s"] / whole["clips_per_s"], half["peak_mb"] / max(whole["peak_mb"], 1e-9)
    return {"dual_masking_speed": speed, "dual_masking_memory": memory}


if __name__ == "__main__":
    main()
