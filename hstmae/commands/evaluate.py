"""`hstmae evaluate`: how well a model fills in what tube masks hide."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundled import find
from ..early import AUTO
from ..output import Kind, Output
from .options import (
    CLIP,
    POSITION,
    PROCESSES,
    SEED,
    SHARE,
    Number,
    add_executor,
    add_lag,
    add_model,
    load_model,
    on_processors,
)
from .options.parts import EXAMPLE, PartRun, add_part

if TYPE_CHECKING:
    from ..data.store.reader import EpisodeStore
    from ..inference.footage_restorer import FootageRestorer

HELP = "measure a model on masked clips, beside simple fillers"

EXAMPLES = (
    """\
examples:
  hstmae evaluate --checkpoint hst-mae-nano --test_data data/preprocessed --split val --clips 64 --json nano.json
  hstmae evaluate --checkpoint runs/nano/best.pth --test_data assets/sample_session --state compact --ratio 0.95
  hstmae evaluate --checkpoint hst-mae-nano --test_data data/preprocessed --split val --clips 16 --report report/

figures count masked pixels only, RGB 0-255, pooled over all clips:
  psnr_masked         PSNR of the posterior mean colour (the model's best guess in the squared error)
  psnr_masked_argmax  PSNR of the most probable palette entry (what `restore` writes)
  psnr_masked_median  median over clips of their psnr_masked; at most 100 dB, which stands for no error at all
  psnr_full           psnr_masked counted over all pixels, the visible ones being right: not a figure to compare with
  exact_match         share of pixels with exactly the right palette entry
  exact_match_sprites the same in the boxes of the console's sprites
  ssim                Gaussian 11x11, sigma 1.5, mirrored border; windows centred on masked pixels;
                      intra: window inside one region of the picture, inter: across a region's border
  flicker             how far pixels that stand still change from a frame to the next, in levels of 0-255
What other frames of the clip show of the same place is taken from them, as `restore` does (--no-recall: the network
alone).
Of true-colour footage a pixel is exact when its three channels are, there is no argmax, and pictures whose sides are no
multiples of 16 are cut in the middle.
--checkpoint auto takes the bundled model of the store's game; where there is none, nothing is trained: the state where
it tells the picture, other frames and motion recall (the model is then called "no network").
The fillers see what the model sees: mode_colour takes the most frequent visible colour, camera_copy the same place of
the world in the nearest other frame of the clip (it needs the camera, so state full or compact); of true-colour footage
mean_colour takes the mean visible colour, nearest_pixel the nearest visible pixel of the same frame.
"""
    + EXAMPLE
    + " Of a part\n--json FILE is the output.\n"
)

SPLITS = ("all", "train", "val", "val_level")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, default=None)
    parser.add_argument(
        "--test_data",
        "--test-data",
        type=find,
        required=True,
        metavar="STORE",
        help="preprocessed store, or recordings or films of the model's game (packed into a temporary store first)",
    )
    add_lag(parser)
    add_part(parser, "clips")
    many = "processes, each with a model of its own on the CPU (default: this one)"
    parser.add_argument("--workers", type=PROCESSES, default=0, metavar="N", help=many)
    add_executor(parser)
    parser.add_argument("--mask", choices=("tube",), default="tube", help="tube: the same positions in all frames")
    parser.add_argument("--ratio", type=SHARE, default=0.9, help="share of the 16x16 positions that is hidden")
    parser.add_argument("--state", choices=("full", "compact", "none"), help="how much state is used (default: all)")
    parser.add_argument("--clips", type=POSITION, default=64, help="clips to measure, by the seed; 0 = every clip")
    parser.add_argument("--seed", type=SEED, default=0, help="of the choice of clips and of the masks")
    parser.add_argument("--split", choices=SPLITS, default="all", help="which episodes of the store")
    parser.add_argument(
        "--no-recall", action="store_true", help="the network alone: neither other frames nor the atlas are looked at"
    )
    parser.add_argument("--inpaint", action="store_true", help="measure OpenCV's inpainting too (extra 'bench')")
    side = "side of a square crop, a multiple of 16; 0 = whole frames"
    parser.add_argument("--crop", type=Number(0, 65536, step=16), default=0, metavar="N", help=side)
    parser.add_argument("--clip", type=CLIP, default=16, metavar="T", help="frames per clip, even")
    step = "frames from one to the next of a clip; 0 = the game's"
    parser.add_argument("--stride", type=POSITION, default=0, metavar="N", help=step)
    lpips = "measure LPIPS and FID too, by the published weights in this folder (docs/results.md)"
    parser.add_argument("--perceptual", type=Path, metavar="DIR", help=lpips)
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="measure other ratios and damage, too; write Markdown, JSON and plots into a new folder (extra 'figures')",
    )
    parser.add_argument(
        "--report-ratios", type=SHARE, nargs="+", metavar="SHARE", help="ratios of the report (default: .75 .9 .95 .98)"
    )


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.report, Kind.FOLDER), (args.json, Kind.FILE if args.part is None else Kind.PART)]


@contextmanager
def opened(path: Path, game: str, lag: int | None = None) -> Iterator[EpisodeStore]:
    """The store at `path`; recorded frames, and sessions of a .hst file, become a temporary one (all its episodes in
    split "train").

    Args:
        lag: of recorded frames, see `data.pairing`; None = found for each episode.
    Raises:
        UsageError: a lag for a store, which holds pictures and memory as they belong together.
        DataError: neither a store of this game nor frames, or frames that cannot be read.
    """
    import sys
    import tempfile

    from ..data.pairing import refuse_lag
    from ..data.store.manifest import is_store
    from ..data.store.preprocessing import build_store, preprocess
    from ..data.store.reader import EpisodeStore
    from ..errors import DataError
    from ..inputs.kinds import file_kind
    from ..inputs.unpacking import STDIN, as_folder, is_archive

    if path != STDIN and not path.exists():
        raise DataError(f"{path}: no such file or folder")
    path = as_folder(path) if path == STDIN or (is_archive(path) and path.suffix.lower() != ".7z") else path
    if is_store(path):
        refuse_lag(path, lag)
        store = EpisodeStore(path)
        if store.game != game:
            raise DataError(f"{path}: is a store of '{store.game}', and the model is for '{game}'")
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="hstmae-") as folder:
        print(f"{path} is no store: packing its frames into a temporary one", file=sys.stderr)
        if path.is_file() and file_kind(path) == "hst":
            from ..codec.jobs.inputs import coded_episodes

            coded = [episode for episode in coded_episodes(path) if episode.game == game]
            if not coded:
                raise DataError(f"{path}: holds no episode of '{game}', for which the model is")
            whole = {"val_levels": [], "val_fraction": 0.0}
            done = build_store(coded, Path(folder), game, "hst", whole, on_error="fail", workers=1)
        else:
            done = preprocess(path, folder, game=game, on_error="fail", workers=1, val_fraction=0.0, lag=lag)
        print(f"packed {done.frames} frames of {done.episodes} episodes", *done.pairing, sep="\n", file=sys.stderr)
        yield EpisodeStore(folder)


def run(args: argparse.Namespace) -> int:
    from ..errors import UsageError
    from ..model_folders import model_game
    from ..output import write_result

    if args.report_ratios and args.report is None:
        raise UsageError("--report-ratios needs --report DIR")
    if args.part is not None and (args.report is not None or args.json in (None, "-")):
        raise UsageError("--part needs --json FILE for its figures, and leaves no --report")
    elsewhere = args.workers > 1 or args.executor != "local"
    if elsewhere and args.report is not None:
        raise UsageError("--report is measured in one process: leave out --workers and --executor")
    on_processors(args, elsewhere)
    if args.perceptual is not None:
        from ..evaluation.perceptual import check_weights

        args.measured_too = check_weights(args.perceptual)
    game, predictor = None, None
    if args.checkpoint == AUTO:
        from ..inference.choosing import stated_game, without_model

        if (game := stated_game(args.test_data)) is None:
            raise UsageError("--checkpoint auto needs a store or a .hst file of one game that is known here")
        predictor = without_model(game)
    elif (game := model_game(args.checkpoint)) is None:
        predictor = load_model(args)
        game = predictor.game.name
    with opened(args.test_data, game, args.lag) as store:
        report = _measured(args, store, predictor or load_model(args))
    if report is not None:
        write_result(args.json, report)
        print(table(report))
    return 0


def _measured(args: argparse.Namespace, store: EpisodeStore, predictor: FootageRestorer) -> dict[str, Any] | None:
    """The report; None of a part, whose figures are in its record."""
    import sys
    from dataclasses import replace

    from tqdm import tqdm

    from ..data.clips.dataset import ClipDataset
    from ..evaluation.evaluate import EvaluateOptions, clips_of, pooled, settings_of
    from ..evaluation.report import RATIOS, check, write_report
    from ..evaluation.side_by_side import measuring
    from ..masks.damage import NAMES
    from ..training.run.setup import crop_size

    options = EvaluateOptions(args.ratio, args.state or "full", args.clips, args.seed, args.inpaint)
    if args.perceptual is not None:
        options = replace(options, perceptual=str(args.perceptual))
    if args.report is not None:
        check(args.report, args.overwrite)
    predictor.recall &= not args.no_recall
    if args.state is None and not predictor.game.state_size:
        options = replace(options, state="none")
    stride = args.stride or predictor.game.stride
    sizes = [info.size for info in store.infos() if args.split in ("all", info.split)]
    crop = crop_size(sizes, args.crop) if not predictor.game.indexed and sizes else args.crop
    splits = () if args.split == "all" else (args.split,)
    dataset = ClipDataset(store, splits=splits, clip=args.clip, stride=stride, crop=crop, seed=args.seed)
    total = len(dataset.sequential(args.clips or None, args.seed))
    if total < args.clips:
        shape = f"{args.clip} frames at stride {stride} that do not overlap"
        print(f"{args.test_data}: {args.clips} clips asked for, {total} measured: all of {shape}", file=sys.stderr)
    about = {"split": args.split, "crop": args.crop, "clip": args.clip, "stride": stride}
    about |= {"clips_asked": args.clips, "checkpoint": str(args.checkpoint), "test_data": str(args.test_data)}
    about["store_hash"] = store.hash
    load = (args.checkpoint, args.device, args.atlas)
    by = measuring(predictor, load, dataset, options, executor=args.executor, workers=args.workers)
    if args.part is not None:
        share = args.part.share([1.0] * len(clips_of(dataset, options)))
        elsewhere = ("checkpoint", "test_data")  # they may lie in other places on another machine
        settings = {
            **settings_of(predictor, options),
            "inpaint": args.inpaint,
            "perceptual": getattr(args, "measured_too", []),
            "model_hash": predictor.fingerprint(),
        }
        settings |= {name: value for name, value in about.items() if name not in elsewhere}
        run = PartRun(args, "evaluate", Path(args.json), store.hash, store.hash, settings, beside=False)
        if run.kept is None:
            with tqdm(total=len(share), unit="clip", desc="evaluate") as bar:
                clips = [clip.to_json() for clip in by(share, bar.update)]
            run.done({"clips": clips, "settings": settings_of(predictor, options), "about": about})
            print(f"part {args.part}: {len(share)} of {total} clips measured, in {args.json}")
        return None
    ratios = tuple(args.report_ratios or RATIOS)
    rounds = 1 if args.report is None else 1 + len({*ratios} - {options.ratio}) + len(NAMES)
    with tqdm(total=rounds * total, unit="clip", desc="evaluate") as bar:
        if args.report is None:
            return pooled(by(range(total), bar.update), settings_of(predictor, options)) | about
        return write_report(predictor, dataset, options, args.report, about, ratios, bar.update, args.overwrite)


def table(report: dict[str, Any]) -> str:
    """The report for people: settings, then model and fillers line by line."""
    from ..evaluation.metrics import TITLES, cells

    lines = [
        f"model {report['model']}, state {report['state']}, mask {report['mask']} {report['ratio']:g}, "
        f"split {report['split']}, {report['clips']} clips; masked pixels only, pooled"
    ]
    rows = [("", TITLES), (report["model"], cells(report))]
    for name, figures in report["baselines"].items():
        if isinstance(figures, dict):
            rows.append((name, cells(figures)))
    first = max(len(name) for name, _ in rows)
    for name, row in rows:
        lines.append(f"{name:<{first}}" + "".join(f"{cell:>11}" for cell in row))
    copied = report["baselines"]["camera_copy"]
    if copied is None:
        lines.append(f"camera_copy: not measured ({report['baselines']['camera_copy_reason']})")
    else:
        lines.append(f"camera_copy finds {copied['coverage']:.1%} of the masked pixels, mode_colour fills the rest")
    for name in ("lpips", "fid"):
        value = report[name]
        lines.append(
            f"{name}: {value:.4f}" if value is not None else f"{name}: not measured ({report[f'{name}_reason']})"
        )
    return "\n".join(lines)
