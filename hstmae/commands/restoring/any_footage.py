"""Part of `hstmae demo --any`: a bundled film of a game that no model knows, damaged in a few ways and restored."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...output import filling, write_result

if TYPE_CHECKING:
    from ...inference.footage.base import Footage
    from ...inference.showing.page import Section
    from ...inference.sinks import RestoredFrame
    from ...inference.visualizer import Panel
    from ...restoration.result import Restoration

EXAMPLES = 2  # frames of each damage that the report shows, beside the one that was least sure
GIF_STEP = 2  # every second picture


@dataclass
class _Case:
    """One damage of the film.

    Attributes:
        mask: bool [T, H, W]; made: what was restored.
        psnr: dB of it, and `fillers`: dB of each simple filler, on masked pixels; exact: share of those that are right.
        filled: uint8 [T, H, W, 3] by the best of the fillers.
    """

    name: str
    mask: np.ndarray
    made: Restoration
    psnr: float
    exact: float
    fillers: dict[str, float]
    filled: np.ndarray

    @property
    def best(self) -> str:
        """The filler with the highest PSNR, chosen by the truth."""
        return max(self.fillers, key=lambda name: self.fillers[name])

    @property
    def words(self) -> str:
        return (
            f"{self.mask.mean():.1%} hidden; restored {self.psnr:.1f} dB, {self.exact:.1%} exactly right; the best "
            f"simple filler ({self.best}) {self.fillers[self.best]:.1f} dB"
        )

    def figures(self) -> dict[str, Any]:
        return {"damage": self.name, "hidden": float(self.mask.mean()), "psnr": self.psnr, "exact_match": self.exact,
                "fillers": self.fillers, "best_filler": self.best}  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Damage the film `args.input`, restore it by motion recall, and write what came of it into `args.out`."""
    from tqdm import tqdm

    from ...atomic import write_json, write_text
    from ...errors import DataError
    from ...inference.footage.opening import open_footage
    from ...masks.damage import damages

    source, out = args.input, args.out
    footage = next(iter(open_footage(source, "generic")))
    pictures = footage.read(0, args.frames).pictures
    if len(pictures) < 4:
        raise DataError(f"{source}: holds {len(pictures)} frames; a demo of films needs 4 or more")
    truth = np.stack([picture.pixels for picture in pictures])
    print(
        f"demo: hides pixels of {len(truth)} frames of {source.name} in four ways, and restores them by motion recall, "
        "without a model or a state",
        flush=True,
    )
    masks = damages((len(truth), *pictures[0].size), args.seed)
    with filling(out, args.overwrite) as temp:
        with tqdm(total=len(masks) * len(truth), unit="frame", desc="restore") as bar:
            cases = [_case(name, truth, mask, bar) for name, mask in masks.items()]
        figures = {"source": str(source), "frames": len(truth), "seed": args.seed,
                   "damages": [case.figures() for case in cases]}  # fmt: skip
        _draw(temp, source.name, truth, cases)
        film = _film(temp, truth, cases, footage)
        write_text(temp / "report.html", _page(source, truth, cases))
        write_json(temp / "metrics.json", figures)
    write_result(args.json, figures)
    print("\n".join(_table(cases)))
    print(f"in {out}: side_by_side.png, {film}, report.html, metrics.json")
    return 0


def _case(name: str, truth: np.ndarray, mask: np.ndarray, bar: Any) -> _Case:
    from ...evaluation.decibels import psnr
    from ...evaluation.fillers import simple_fillers
    from ...restoration.anything import AnythingRestorer

    seen = np.where(mask[..., None], np.uint8(0), truth)
    made = AnythingRestorer().restore(seen, mask, progress=bar.update)

    def measured(rgb: np.ndarray) -> float:
        return psnr(float(np.mean((rgb[mask].astype(np.float64) - truth[mask]) ** 2)))

    fillers, filled, best = dict[str, float](), seen, -1.0
    for filler, rgb in simple_fillers(seen, mask):
        fillers[filler] = measured(rgb)
        if fillers[filler] > best:
            best, filled = fillers[filler], rgb
    exact = float((made.rgb[mask] == truth[mask]).all(-1).mean())
    return _Case(name, mask, made, measured(made.rgb), exact, fillers, filled)


def _table(cases: list[_Case]) -> Iterator[str]:
    yield f"{'damage':<14}{'hidden':>8}{'restored':>11}{'exact':>9}   best of {len(cases[0].fillers)} simple fillers"
    for case in cases:
        best = case.fillers[case.best]
        yield (
            f"{case.name:<14}{case.mask.mean():>8.1%}{case.psnr:>8.2f} dB{case.exact:>9.1%}   {best:.2f} dB "
            f"({case.best}): {case.psnr - best:+.2f} dB"
        )


def _frame(case: _Case, truth: np.ndarray, t: int) -> RestoredFrame:
    from ...inference.sinks import RestoredFrame
    from ...pictures.true_colour import RgbPicture

    made, mask = case.made, case.mask[t]
    assert made.confidence is not None and made.method is not None and made.shown is not None
    picture = RgbPicture(truth[t], np.zeros(mask.shape, bool))
    return RestoredFrame(t, f"{t}.png", picture, mask, True, made.rgb[t], made.rgb[t], made.confidence[t],
                         made.method[t], made.shown[t])  # fmt: skip


def _draw(folder: Path, name: str, truth: np.ndarray, cases: list[_Case]) -> None:
    """side_by_side.png: of each damage the middle one of its damaged frames."""
    from ...drawing.overlay import enlarged
    from ...drawing.sheet import Row, compose
    from ...inference.showing.sources import confidence_panel

    rows = []
    scale = max(1, 256 // truth.shape[2])
    for case in cases:
        damaged = np.flatnonzero(case.mask.any((1, 2)))
        frame = _frame(case, truth, int(damaged[len(damaged) // 2]))
        t = frame.position
        panels = [("original", truth[t]), ("damaged", frame.damaged), ("best filler", case.filled[t]),
                  ("restored", frame.restored), ("confidence", confidence_panel(frame))]  # fmt: skip
        rows.append(Row(f"{case.name}: {case.words}", [(word, enlarged(one, scale)) for word, one in panels]))
    compose(f"{name}, restored without a model", [], rows).save(folder / "side_by_side.png")


def _film(folder: Path, truth: np.ndarray, cases: list[_Case], footage: Footage) -> str:
    """All damages side by side, above as they are seen and below as they were restored; returns the file's name."""
    from importlib.util import find_spec

    from ...inference.footage.animation import Animation
    from ...inference.visualizer import contact_sheet, save_gif, save_mp4

    delays = footage.delays[: len(truth)] if isinstance(footage, Animation) else []
    rate = float(len(delays) / sum(delays)) if any(delays) else footage.fps or 30.0
    scale = max(1, 256 // truth.shape[2])

    def picture(t: int) -> Any:
        frames = [_frame(case, truth, t) for case in cases]
        above: list[Panel] = [(case.name, frame.damaged) for case, frame in zip(cases, frames, strict=True)]
        return contact_sheet([above, [("restored", frame.restored) for frame in frames]], scale)

    if find_spec("av") is None:
        save_gif([picture(t) for t in range(0, len(truth), GIF_STEP)], folder / "before_after.gif", rate / GIF_STEP)
        return "before_after.gif"
    pictures = (picture(t) for t in range(len(truth)))
    save_mp4((one.crop((0, 0, one.width // 2 * 2, one.height // 2 * 2)) for one in pictures),
             folder / "before_after.mp4", rate)  # fmt: skip
    return "before_after.mp4"


def _page(source: Path, truth: np.ndarray, cases: list[_Case]) -> str:
    from ... import __version__
    from ...inference.showing.page import Page

    gains = [case.psnr - case.fillers[case.best] for case in cases]
    facts = [(f"{case.psnr:.1f} dB", f"{case.name} restored; best simple filler {case.fillers[case.best]:.1f} dB")
             for case in cases]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hstmae-") as folder:
        return Page(
            f"{source.name}, damaged in {len(cases)} ways",
            "Restored by motion recall, from what other frames and the surroundings show: no model, no state of the "
            f"game. {sum(gain > 0 for gain in gains)} of {len(cases)} are better than the best simple filler, which is "
            "chosen with the truth.",
            facts,
            [_section(Path(folder) / str(k), truth, case) for k, case in enumerate(cases)],
            made_by=f"By hstmae {__version__}: hstmae demo --any",
        ).html()


def _section(folder: Path, truth: np.ndarray, case: _Case) -> Section:
    from ...inference.showing.figures import ReportSink
    from ...inference.showing.page import Section

    sink = ReportSink(folder, EXAMPLES)
    for t in range(len(truth)):
        sink.write(_frame(case, truth, t))
    return Section(case.name, sink.figures(), sink.examples(), f"{case.words[0].upper()}{case.words[1:]}.")
