"""Figures of `benchmarks/videomae.py`: quality on hidden pixels, speed in turns, and what they say about the claims."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from videomae_model import VideoMAE, config_for, hidden_tokens, in_colour, to_input

from hstmae.bundled import SAMPLES
from hstmae.data.clips.clip import Clip, ClipBatch, collate
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.evaluation.fillers import mode_colour
from hstmae.evaluation.metrics import MetricSums
from hstmae.evaluation.truth import Truth
from hstmae.games import get_game
from hstmae.games.palette import nearest_entries
from hstmae.games.pixels import View
from hstmae.masks.tubes import numbered_tube
from hstmae.models import HSTMAE, build_model
from hstmae.models.cost import model_cost
from hstmae.models.fast.head import FastHead
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import hidden_cubes, tube_visible, visible_from_pixels
from hstmae.restoration.restorer import Restorer

SAMPLE = SAMPLES / "sample_session"
FRAMES, STRIDE, RATIO = 16, 4, 0.9
GAME = "smb"
SPATIAL, ERROR, SPEED = 0.23, 0.18, 2.3
CLAIMS = {
    "spatial": f"+{SPATIAL:.0%} spatial consistency",
    "error": f"-{ERROR:.0%} squared error by the state",
    "speed": f"{SPEED}x as fast",
}


def measure_clips(store: str, crop: int, count: int, seed: int) -> list[Clip]:
    """A fixed choice of clips of split `val`, cropped in the middle."""
    data = ClipDataset(EpisodeStore(store), splits=("val",), clip=FRAMES, stride=STRIDE, crop=crop, seed=seed)
    return [data.clip(*place) for place in data.sequential(count, seed)]


def tube(clip: Clip, seed: int, number: int) -> np.ndarray:
    """The mask of clip `number`, the same for every model: bool [T, H, W], True = hidden."""
    return numbered_tube((clip.frames.shape[0], clip.frames.shape[1], clip.frames.shape[2]), RATIO, seed, number)


def add(sums: MetricSums, clip: Clip, hidden: np.ndarray, rgb: np.ndarray, indices: np.ndarray) -> None:
    """Add one restored clip, uint8 [T, H, W, 3], and its palette entries [T, H, W]."""
    view = View(clip.frames, hidden, get_game(GAME), clip.state, "full", clip.origin)
    sums.add(Truth.of(view, clip.palette), rgb, indices)


@torch.inference_mode()
def measure(model: VideoMAE | HSTMAE, clips: list[Clip], level: str, seed: int) -> dict[str, Any]:
    """Restore the hidden cubes of `clips` and compare them with the truth: the figures of `MetricSums`.

    Args:
        model: a VideoMAE, or one of our models, which is given the state at `level` (none, compact or full).
        seed: of the masks.
    """
    sums = MetricSums()
    for number, clip in enumerate(clips):
        hidden = tube(clip, seed, number)
        assert clip.palette is not None
        if isinstance(model, VideoMAE):
            batch = collate([clip])
            assert batch.palette is not None
            visible, _ = visible_from_pixels(torch.from_numpy(hidden.copy()))
            rgb = model.restore(in_colour(batch.frames, batch.palette), visible[None])[0].numpy()
            indices = clip.frames.copy()
            indices[hidden] = nearest_entries(rgb[hidden], clip.palette, get_game(GAME))
        else:
            made = Restorer(model, model.config, recall=False).restore_clip(
                clip.frames, hidden, clip.state, level=level, palette=clip.palette, origin=clip.origin
            )
            assert made.indices is not None
            rgb, indices = made.rgb, made.indices
        add(sums, clip, hidden, rgb, indices)
    return sums.result()


def filler(clips: list[Clip], seed: int) -> dict[str, Any]:
    """The same figures for the most frequent visible colour."""
    sums = MetricSums()
    for number, clip in enumerate(clips):
        assert clip.palette is not None
        hidden = tube(clip, seed, number)
        indices = mode_colour(np.where(hidden, np.uint8(0), clip.frames), hidden)
        add(sums, clip, hidden, clip.palette[indices], indices)
    return sums.result()


def sample_clip(side: int) -> ClipBatch:
    """One clip of the bundled session, side x side pixels; beyond the console's 240x256 the picture is repeated."""
    with tempfile.TemporaryDirectory() as folder:
        preprocess(SAMPLE, Path(folder) / "store", workers=1, val_fraction=0)
        crop = side if side <= 240 else 0
        data = ClipDataset(EpisodeStore(Path(folder) / "store"), clip=FRAMES, stride=STRIDE, crop=crop)
        clip = data.clip(0, 0)
    missing = [(0, 0), *((0, side - length) for length in clip.frames.shape[1:])]
    return collate([replace(clip, frames=np.pad(clip.frames, missing, mode="wrap"))])


def measure_speed(name: str, side: int, repeats: int) -> dict[str, Any]:
    """Time our variant `name` and a VideoMAE of its size on one clip, in turns; weights are random.

    All restore every hidden cube of the clip to colours uint8. Ours starts from palette entries, VideoMAE from scaled
    RGB; its loss, which transformers would work out as well, is left out.

    Returns:
        `ms` by name (median), `ratio` of VideoMAE's time to ours with full state and `ratio_none` without (medians of
        the rounds' ratios), `parameters` and `gmac` (multiply-accumulates of a clip) of ours and of VideoMAE.
    """
    torch.manual_seed(0)
    data, units = sample_clip(side), (side // 16) ** 2
    assert data.palette is not None
    ours = build_model(name).eval()
    head = FastHead.of(ours)
    assert head is not None
    weights = sum(p.numel() for p in ours.parameters())
    theirs = VideoMAE(config_for(weights, side, FRAMES)).eval()
    visible = tube_visible(1, units, RATIO, torch.Generator().manual_seed(0))
    queries = hidden_cubes(visible, units, FRAMES // 2)
    pixels, hidden = to_input(in_colour(data.frames, data.palette)), hidden_tokens(visible, units, FRAMES // 2)

    def hst(told: bool) -> Any:
        given = MaskedClips(data.frames, visible, data.state if told else None, origin=data.origin)
        return head.paint(ours.decode(given, queries), data.palette).colour

    def videomae() -> torch.Tensor:
        return (theirs.draw(pixels, hidden) * 255).round().clamp(0, 255).to(torch.uint8)

    ms = in_turns({"hst-full": lambda: hst(True), "hst-none": lambda: hst(False), "videomae": videomae}, repeats)
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        videomae()
    cost = model_cost(ours.config, (side, side), FRAMES, ("restore_90",))["gmac_per_frame"]["restore_90"]
    return {
        "model": name, "side": side, "threads": torch.get_num_threads(),
        "ms": {key: statistics.median(values) for key, values in ms.items()},
        "ratio": statistics.median(v / o for v, o in zip(ms["videomae"], ms["hst-full"], strict=True)),
        "ratio_none": statistics.median(v / o for v, o in zip(ms["videomae"], ms["hst-none"], strict=True)),
        "parameters": {"hst": weights, "videomae": sum(p.numel() for p in theirs.parameters())},
        "gmac": {"hst": cost * FRAMES, "videomae": counter.get_total_flops() / 2e9},
    }  # fmt: skip


@torch.inference_mode()
def in_turns(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each run in each round; every round calls each once, after a first one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            if number:
                times[name].append(1e3 * (time.perf_counter() - begun))
    return times


def claims(report: dict[str, Any], model: str) -> dict[str, Any]:
    """What the report says about each claim; one whose runs are missing is left out.

    Returns:
        By claim: `claimed`, `measured` (several figures), `reached` (whether the smallest of them is as claimed), and
        `beside`, figures that help to read it and are not judged.
    """
    runs: dict[str, dict[str, Any]] = report["runs"]

    def similarity(first: str, second: str) -> dict[str, float]:
        keys = ("ssim_intra", "ssim_inter") if first in runs and second in runs else ()
        of = {key: (runs[first][key], runs[second][key]) for key in keys}
        return {f"{key}, {first} against {second}": a / b - 1 for key, (a, b) in of.items() if a and b}

    def error(first: str, second: str) -> dict[str, float]:
        if first not in runs or second not in runs:
            return {}
        return {f"{first} against {second}": 1 - runs[first]["mse"] / runs[second]["mse"]}

    ratios = {f"{row['side']} px": row["ratio"] for row in report["speed"] if row["model"] == model}
    found = {
        "spatial": (
            SPATIAL,
            similarity("hst-full", "videomae"),
            similarity("hst-none", "videomae") | similarity("hst-full", "hst-no-regions"),
        ),
        "error": (
            ERROR,
            error("hst-full", "hst-none"),
            error("hst-compact", "hst-none") | error("hst-none", "videomae"),
        ),
        "speed": (SPEED, ratios, {}),
    }
    return {
        name: {"claimed": claimed, "measured": measured, "reached": min(measured.values()) >= claimed, "beside": beside}
        for name, (claimed, measured, beside) in found.items()
        if measured
    }


def tables(report: dict[str, Any]) -> str:
    """The report as Markdown: quality, speed, claims."""
    lines = [
        "| run | parameters, M | clips seen | CPU min | masked PSNR, dB | MSE | SSIM intra | SSIM inter | exact, % |",
        "|---|" + "---:|" * 8,
    ]
    rows = dict(report["runs"])
    if "filler" in report:
        rows["most frequent colour"] = report["filler"]
    for name, row in rows.items():
        cost = ["", "", ""]
        if "parameters" in row:
            cost = [f"{row['parameters'] / 1e6:.2f}", str(row["clips_seen"]), f"{row['cpu_minutes']:.1f}"]
        similar = [f"{row[key]:.3f}" if row[key] is not None else "" for key in ("ssim_intra", "ssim_inter")]
        error = [f"{row['psnr_masked']:.2f}", f"{row['mse']:.0f}"]
        lines.append("| " + " | ".join([name, *cost, *error, *similar, f"{100 * row['exact_match']:.1f}"]) + " |")
    if report["speed"]:
        lines += [
            "",
            "| variant | side, px | parameters, M, ours / VideoMAE | GMAC | ms, state full | ms, none | ms, VideoMAE | "
            "VideoMAE's time / ours, full | none |",
            "|---|" + "---:|" * 8,
        ]
    for row in report["speed"]:
        ms, gmac, size = row["ms"], row["gmac"], row["parameters"]
        cells = [row["model"], str(row["side"]), f"{size['hst'] / 1e6:.2f} / {size['videomae'] / 1e6:.2f}"]
        cells += [f"{gmac['hst']:.1f} / {gmac['videomae']:.1f}", *(f"{value:.0f}" for value in ms.values())]
        lines.append("| " + " | ".join([*cells, f"{row['ratio']:.2f}x", f"{row['ratio_none']:.2f}x"]) + " |")
    lines.append("")
    for name, claim in report.get("claims", {}).items():
        unit = "{:.2f}x" if name == "speed" else "{:+.1%}"
        sign = -1 if name == "error" else 1
        said, beside = (
            ", ".join(f"{key} {unit.format(sign * value)}" for key, value in claim[kind].items())
            for kind in ("measured", "beside")
        )
        verdict = "reached" if claim["reached"] else "not reached"
        lines.append(f"- {CLAIMS[name]}: {verdict} ({said})" + (f"; beside it {beside}" if beside else ""))
    return "\n".join(lines) + "\n"
