"""`hstmae demo`: hide most of a bundled session, restore it, show and measure the result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundled import find
from ..output import Kind, Output
from . import parser_of
from .options import COUNT, SEED, SHARE, add_model, load_model

if TYPE_CHECKING:
    import numpy as np

    from ..games import GameSpec
    from ..inference.footage.base import Stretch
    from ..inference.predictor import Predictor
    from ..restoration.result import Restoration

HELP = "hide 90 % of a bundled real session, restore it, write pictures and figures; or restore a game no model knows"

EXAMPLES = """\
examples:
  hstmae demo
  hstmae demo --any
      a bundled film of another game, damaged in four ways, restored without a model; beside the best simple filler
  hstmae demo --ratio 0.95 --state compact --out out/demo95
  hstmae demo --checkpoint checkpoints/hst-mae-nano --input_image assets/sample_masked.png
"""

OWN = Path("out/demo"), Path("out/demo_any")  # a demo's own folder: a second one may replace what the first left there
SESSION, FRAMES = "assets/sample_session", 96
SAMPLE, ANY_FRAMES = "assets/platformer.png", 48
SHEET_ROWS = 5
ANIMATION_STEP = 3  # every third frame of 60: 20 pictures a second, which GIF can say exactly


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    anything = f"damage a film of a game that no model knows ({SAMPLE}, or --input) in four ways, and restore it "
    anything += "without a model: motion recall beside the best simple filler"
    parser.add_argument("--any", action="store_true", help=anything)
    what = f"folder of frames or store (default: {SESSION}); with --any a film or an animation, too"
    parser.add_argument("--input", type=find, help=what)
    parser.add_argument(
        "--input_image", "--input-image", type=find, help="restore this one masked PNG (transparent = missing) instead"
    )
    parser.add_argument("--ratio", type=SHARE, default=0.9, help="share of the 16x16 positions that is hidden")
    parser.add_argument("--seed", type=SEED, default=0, help="of the mask")
    parser.add_argument("--frames", type=COUNT, help=f"frames at most (default: {FRAMES}; with --any {ANY_FRAMES})")
    parser.add_argument(
        "--state", choices=("auto", "full", "compact", "none"), default="auto", help="auto: all the state there is"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"folder for the pictures (default: {OWN[0]}, or {OWN[1]}, which is filled anew)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures here, too")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(None if args.out in (None, *OWN) else args.out, Kind.FOLDER), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    args.out, own = args.out or OWN[args.any], args.out in (None, *OWN)
    args.overwrite |= own
    if args.any:
        _check_any(args)
        from .restoring.any_footage import run as demo_any

        args.input, args.frames = args.input or find(SAMPLE), args.frames or ANY_FRAMES
        return demo_any(args)
    args.input, args.frames = args.input or find(SESSION), args.frames or FRAMES
    return _image(args) if args.input_image else _session(args)


def _check_any(args: argparse.Namespace) -> None:
    """Raises UsageError for options that mean nothing without a model."""
    from ..errors import UsageError

    usual = parser_of("demo")
    for option in ("checkpoint", "atlas", "input_image", "ratio", "state"):
        if getattr(args, option) != usual.get_default(option):
            raise UsageError(f"--any restores without a model, by four damages of its own: leave --{option} out")


def _image(args: argparse.Namespace) -> int:
    """Restore one masked picture; blocks are looked for where nothing is transparent."""
    from ..errors import DataError
    from ..inference.footage.opening import open_footage
    from ..inference.job import RestoreSummary, restore_footage
    from ..inference.mask_rules import MaskRules
    from ..inference.sinks import FolderSink
    from ..output import filling

    if not args.input_image.is_file():
        raise DataError(f"{args.input_image}: is a folder; give a picture, or a folder with --input")
    game, predictor = _game(args)
    footage = next(iter(open_footage(args.input_image, game.name, args.state != "none")))
    first = footage.read(0, 1)
    transparent = bool(first.pictures[0].missing.any())
    summary, predictor = RestoreSummary(), predictor or load_model(args)
    with filling(args.out, args.overwrite) as temp:
        masks = MaskRules(detect=not transparent)
        restore_footage(predictor, footage, masks, args.state, FolderSink(temp, compare=True), summary)
        if not summary.masked:
            raise DataError(f"{args.input_image}: nothing is transparent and no painted blocks were found")
    print(
        f"demo: restored {summary.masked} missing pixels ({summary.masked / summary.pixels:.1%}) of {args.input_image} "
        f"with {predictor.config.name}, state {'/'.join(summary.levels)}"
    )
    print(f"restored picture: {args.out / first.files[0]}")
    print(f"side by side:     {args.out / 'compare' / first.files[0]}")
    return 0


def _session(args: argparse.Namespace) -> int:
    import time

    import numpy as np
    from tqdm import tqdm

    from ..atomic import write_json
    from ..errors import UsageError
    from ..inference.footage.opening import open_footage
    from ..inference.job import choose_level
    from ..masks.tubes import TubeSpec, tube_mask
    from ..output import filling, write_result
    from .evaluate import table

    started = time.perf_counter()
    game, predictor = _game(args)
    if not game.indexed:
        raise UsageError(
            f"{args.checkpoint}: the demo is for games with a palette, and '{game.name}' has none; "
            f"try: hstmae restore INPUT --game {game.name} --mask tube:0.9 --compare"
        )
    footage = next(iter(open_footage(args.input, game.name, args.state != "none")))
    level = choose_level(args.state, footage)
    predictor = predictor or load_model(args)
    stretch = footage.read(0, args.frames)
    pictures, first = stretch.pictures, stretch.pictures[0]
    truth = np.stack(
        [p.shown(p.missing, predictor.game, file) for p, file in zip(pictures, stretch.files, strict=True)]
    )
    palette = first.colours(np.arange(len(predictor.game.palette)))
    mask = np.broadcast_to(tube_mask(first.size, TubeSpec(args.ratio, args.seed)), truth.shape)
    if not mask.any():
        raise UsageError(f"--ratio {args.ratio} hides none of the 16x16 positions: give a larger one")
    print(
        f"demo: hid {args.ratio:.0%} of the 16x16 positions in all of {len(truth)} frames of {args.input}, "
        f"then restored them with {predictor.config.name}, state {level}",
        flush=True,
    )
    with filling(args.out, args.overwrite) as temp:
        with tqdm(total=len(truth), unit="frame", desc="restore") as bar:
            result = predictor.restore(
                truth, mask, palette, stretch.state, stretch.context, level=level,
                frame_numbers=stretch.frame_numbers, progress=bar.update,
            )  # fmt: skip
        assert result.indices is not None  # a game with a palette
        report = measure(predictor, stretch, palette, truth, mask, result, level)
        report |= {"ratio": args.ratio, "seed": args.seed, "source": str(args.input), "frames": len(truth)}
        draw(temp, truth, mask, result, palette, predictor.game.fps)
        for t, file in enumerate(stretch.files):
            (temp / "frames").mkdir(exist_ok=True)
            (temp / "frames" / file).write_bytes(pictures[t].restored(result.indices[t], mask[t]))
        write_json(temp / "metrics.json", report)
    write_result(args.json, report)
    print(table(report))
    print(f"pictures in {args.out}: side_by_side.png, sheet.png, animation.gif, frames/ ({_seconds(started)})")
    return 0


def _game(args: argparse.Namespace) -> tuple[GameSpec, Predictor | None]:
    """The model's game, and the model where only loading it tells which that is."""
    from ..games import get_game
    from ..model_folders import model_game

    game = model_game(args.checkpoint)
    if game is not None:
        return get_game(game), None
    predictor = load_model(args)
    return predictor.game, predictor


def _seconds(started: float) -> str:
    import time

    return f"{time.perf_counter() - started:.0f} s"


def measure(
    predictor: Predictor,
    stretch: Stretch,
    palette: np.ndarray,
    truth: np.ndarray,
    mask: np.ndarray,
    result: Restoration,
    level: str,
) -> dict[str, Any]:
    """Figures of a restored session and of the fillers, clip by clip as the model saw it."""
    from ..evaluation.baselines import Baselines
    from ..evaluation.metrics import MetricSums, perceptual_fields
    from ..evaluation.truth import Truth
    from ..games.pixels import View
    from ..restoration.windows import session_windows

    sums, baselines = MetricSums(), Baselines(predictor.game, level, predictor.atlas)
    assert result.indices is not None
    for window in session_windows(stretch.frame_numbers, predictor.game.stride):
        index, owned = window.index, window.index[window.owned]
        state = None
        if stretch.state is not None:
            context = None if stretch.context is None else stretch.context[index]
            state = predictor.game.decode(stretch.state[index], context)
        view = View(truth[index], mask[index], predictor.game, state, level)
        clip = Truth.of(view, palette, window.owned)
        sums.add(clip, result.rgb[owned], result.indices[owned])
        baselines.add(view, clip, window.owned)
    settings = {"mask": "tube", "state": level, "model": predictor.config.name, "split": "one session"}
    return {**sums.result(), **perceptual_fields(), **settings, "baselines": baselines.result()}


def draw(
    folder: Path, truth: np.ndarray, mask: np.ndarray, result: Restoration, palette: np.ndarray, fps: float
) -> None:
    """Write side_by_side.png (the middle frame), sheet.png (some frames) and animation.gif into `folder`."""
    import numpy as np

    from ..drawing.panels import show_confidence, show_error, show_masked
    from ..inference.visualizer import contact_sheet, save_gif, save_png, side_by_side

    assert result.indices is not None  # a game with a palette
    restored = result.indices

    def panels(t: int, names: bool = True) -> list[tuple[str, np.ndarray]]:
        before, after = palette[truth[t]], palette[restored[t]]
        row = [
            ("original", before),
            ("masked", show_masked(before, mask[t])),
            ("restored", after),
            ("error x2", show_error(after, before)),
        ]
        if result.confidence is not None:
            row.append(("confidence", show_confidence(np.where(mask[t], result.confidence[t], 1))))
        return row if names else [("", picture) for _, picture in row]

    save_png(side_by_side(panels(len(truth) // 2)), folder / "side_by_side.png")
    chosen = np.unique(np.linspace(0, len(truth) - 1, SHEET_ROWS).round().astype(int)).tolist()
    save_png(contact_sheet([panels(t, i == 0) for i, t in enumerate(chosen)], scale=1), folder / "sheet.png")
    moving = [side_by_side(panels(t)[:3], scale=1) for t in range(0, len(truth), ANIMATION_STEP)]
    save_gif(moving, folder / "animation.gif", fps / ANIMATION_STEP)
