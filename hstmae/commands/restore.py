"""`hstmae restore`: fill in what is missing in pictures, folders of frames, films and stores."""

from __future__ import annotations

import argparse
import contextlib
import sys
from copy import copy
from pathlib import Path

from ..bundled import find
from ..early import AUTO
from ..output import STDOUT, Output
from .options import PROCESSES, add_executor, add_lag, add_model, on_processors
from .options.films import (
    CONFIDENCE,
    add_film_options,
    confidence_of,
    film_options,
    is_picture,
    kind_of,
    only_one,
    only_picture,
    wanted_frames,
)
from .options.masks import EXAMPLES as MASK_EXAMPLES
from .options.masks import add_masks, mask_rules
from .options.parts import EXAMPLE as PART_EXAMPLE
from .options.parts import add_part
from .restoring.loading import load_model
from .restoring.parts import check_part, files_of, job_key, part_of
from .restoring.refining import WEIGHTS, add_refine, check_refine, refined
from .restoring.seeing import Seen, add_seeing, check_seeing, outputs_of, preview, watched
from .restoring.summary import print_report, report_of

HELP = "restore masked or damaged frames"

EXAMPLES = (
    """\
examples:
  hstmae restore film.mp4 --mask logo.png --out restored.mp4
      a film of anything, as one film: sound, times, aspect and colours stay; a folder as --out gives PNG files
  hstmae restore film.mp4 --mask logo.png --out part.mp4 --start 1:20 --end 1:25
      five seconds of it, to look at first
  hstmae restore film.mp4 --mask logo.png --out restored.mp4 --preview 6
      six of its frames side by side in restored.preview.png, and how long the whole film would take
  hstmae restore film.mp4 --mask logo.png --out restored.mp4 --before-after beside.mp4 --report report.html
      also a film of before and after, and a page that shows what was done, and how sure it is
  hstmae restore film.mp4 --mask logo.png --out restored.mp4 --refine 5
      learn on the film's own visible pixels for five minutes first
  hstmae restore masked.png --out restored/
      what is transparent in the picture is filled in
  hstmae restore frames/ --mask overlay.png --out restored/
      white in overlay.png = missing in every frame; a folder of masks gives one per frame, by name
  hstmae restore frames/ --detect --out restored/ --compare
      look for painted blocks; also write input | missing | restored pictures
  hstmae restore store/ --mask tube:0.9:1 --checkpoint hst-mae-nano --out restored/
      hide 90 % of the 16x16 positions (seed 1) of every episode, restore, and print the error

Footage of a game that a bundled model knows (Super Mario Bros) is restored by it; anything else by motion recall, from
what its other frames and the surroundings show. --checkpoint MODEL takes a model of your own.
A run that is interrupted goes on where it was when the same command is given again.

"""
    + MASK_EXAMPLES
    + PART_EXAMPLE
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input",
        type=find,
        help="a picture (PNG, JPEG, BMP, WebP, TIFF, GIF), a folder of them (memory appended as in smbdataset is used "
        "as state) or of such folders, a store, a .hst file, for games without a palette also films and animations; a "
        "zip, tar or 7z archive of these; - for one of them from standard input",
    )
    add_model(parser, "auto")
    how = "of what motion recall finds, take the colour most likely to be exactly right (sharp), or the mean, which "
    how += "has the least squared error (default: %(default)s)"
    runtime = "what the network runs in; onnx: --checkpoint is an export (hstmae export), PyTorch is not needed; "
    runtime += "onnx-int8: its graph with 8-bit weights (default: %(default)s)"
    parser.add_argument("--runtime", choices=("torch", "onnx", "onnx-int8"), default="torch", help=runtime)
    parser.add_argument("--mode", choices=("psnr", "exact"), default="psnr", help=how)
    add_refine(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR|FILE",
        help="folder for the restored frames, or a film: NAME.mp4, .mov, .mkv, .webm, .avi, .gif, .apng; of one "
        "picture also a picture: NAME.png, .bmp, .webp, .tif, or - for stdout",
    )
    add_masks(parser)
    add_film_options(parser)
    parser.add_argument(
        "--state",
        choices=("auto", "full", "compact", "none"),
        default="auto",
        help="how much of the game's memory to use (auto: all there is)",
    )
    add_lag(parser)
    add_part(parser, "folders, films or episodes")
    many = "processes in which a model restores on the CPU (default: one per core, from 1,024 frames on)"
    parser.add_argument("--workers", type=PROCESSES, default=0, metavar="N", help=many)
    add_executor(parser)
    parser.add_argument("--game", help="game the footage shows, or FILE.py:CLASS of your own (default: the model's)")
    add_seeing(parser)
    parser.add_argument(
        "--on-error",
        choices=("restore", "fail"),
        default="restore",
        help="a picture that cannot be read, or a film's frame that was decoded with errors, is a lost frame, which is "
        "restored whole and reported; or stop at it",
    )
    parser.add_argument("--json", metavar="FILE", help="write the summary as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return outputs_of(args)


def run(args: argparse.Namespace) -> int:
    target = args.out
    from ..errors import UsageError

    check_part(args)
    on_processors(args, args.executor != "local")
    if args.preview is not None:
        if target == STDOUT:
            raise UsageError("--preview is written beside the output: give it a name with --out")
        return _run(args, target if is_picture(target) else None)
    if target != STDOUT and not is_picture(target):
        return _run(args)
    if args.compare or (args.confidence and target == STDOUT):
        raise UsageError("--compare (and --confidence with --out -) needs a folder: --out DIR")
    import tempfile

    from ..atomic import write_bytes

    with tempfile.TemporaryDirectory(prefix="hstmae-") as folder:
        args.out = made = Path(folder) / "out"
        # What is told goes to stderr where the picture has stdout for itself.
        with contextlib.redirect_stdout(sys.stderr) if target == STDOUT else contextlib.nullcontext():
            code = _run(args, target)
        (file,) = (path for path in made.iterdir() if path.is_file())
        if args.confidence:
            (sure,) = (made / CONFIDENCE).iterdir()
            write_bytes(confidence_of(target)[0], sure.read_bytes())
        if target == STDOUT:
            sys.stdout.buffer.write(file.read_bytes())
        else:
            write_bytes(target, file.read_bytes())
    return code


def _run(args: argparse.Namespace, target: Path | None = None) -> int:
    """`target`: where the one picture goes that is expected."""
    from ..errors import DataError, UsageError

    source = args.input.resolve() if args.input.is_dir() else args.input.resolve().parent
    if args.out.resolve() == source:
        raise UsageError(f"{args.out}: is the folder of the input; restored frames need another one")
    film, masks = film_options(args), mask_rules(args)
    from functools import partial

    from tqdm import tqdm

    from ..data.pairing import describe
    from ..games import get_game
    from ..inference.choosing import choose
    from ..inference.film_sink import FilmSink
    from ..inference.job import RestoreSummary, choose_level, restore_footage
    from ..inference.side_by_side import side_by_side
    from ..inference.sinks import FolderSink, Sink
    from ..inputs.unpacking import as_given
    from ..journal import resuming
    from ..motion.recall import Mode
    from ..output import lies_in_output, publish, write_result
    from ..space import bytes_of, check_space

    if args.runtime != "torch" and args.checkpoint == AUTO:
        raise UsageError(f"--runtime {args.runtime} needs an export: --checkpoint DIR (hstmae export makes one)")
    load = partial(load_model, args.device, args.atlas, args.runtime)
    choice = choose(
        args.input, args.checkpoint, args.game, masks, Mode(args.mode == "exact"), load,
        args.state != "none", args.on_error == "fail", args.lag,
    )  # fmt: skip
    game, found = choice.game, choice.footage
    if target is not None:
        only_picture(found, target)
    sequences = [sequence for sequence in found if not lies_in_output(sequence.place, args.out)]
    if len(sequences) < len(found):
        count = len(found) - len(sequences)
        print(f"left out {count} of {len(found)} folders or films: in {args.out}, the output", file=sys.stderr)
    check_seeing(args, sequences)
    for sequence in sequences:
        choose_level(args.state, sequence)  # refuses before anything is written
    films, all_of_it = bytes_of(args.input)
    if args.frames is None and args.start is None and args.end is None:
        check_space(args.out, (all_of_it - films) / 2 if film is None else (all_of_it if args.lossless else 0) / 2)
    notes = [as_given(line) for line in masks.check(sequences)]
    rate = args.fps or get_game(game).fps
    frames = wanted_frames(args, sequences, rate)
    nowhere = Seen(args, args.out, rate, frames, masks)
    nowhere.beside(sequences[0])  # refuses before anything is written, as the next one does
    if film is not None:
        only_one(sequences, args.out)
        FilmSink(args.out, nowhere.kept, sequences[0], film, rate, frames)
    notes += [as_given(line) for s in sequences for line in getattr(s, "notes", ())]
    memories = [memory for s in sequences if (memory := getattr(s, "memory", None)) is not None]
    pairing = describe(memory.pairing for memory in memories)
    if untold := sum(memory.untold for memory in memories):
        pairing.append(f"{untold} pictures have no memory that belongs to them: restored without")
    for line in (*notes, *pairing):
        print(line, file=sys.stderr)
    predictor = choice.load()
    print(f"restoring {choice.why}", file=sys.stderr)
    if args.confidence and not predictor.rates:
        raise UsageError(f"--confidence: {args.checkpoint} answers with colours and does not say how sure it is")
    learner = check_refine(args, choice.why, predictor)
    if args.preview is not None:
        return preview(args, predictor, sequences, masks, frames)
    part = None
    if args.part is not None:
        part, sequences = part_of(args, sequences, predictor)
        if part.kept is not None:
            write_result(args.json, part.kept.get("report"))
            return 0
        if not sequences:
            return part.nothing((), args.json)
    with (
        contextlib.ExitStack() as beside,
        resuming(args.out, args.overwrite, job_key(args, sequences, predictor), kind_of(args.out)) as journal,
    ):
        seen = Seen(args, journal.folder, rate, frames, masks)
        if journal.done and seen.lost:
            journal.begin()
        if learner is not None:
            predictor = refined(args, learner, sequences, masks, frames, journal.folder)
        summary = RestoreSummary.from_json(journal.totals) if journal.totals else RestoreSummary()
        if summary.frames:
            print(f"going on after {summary.frames} frames of an interrupted run", file=sys.stderr)
        lost: list[str] = []
        total = sum(s.count for s in sequences) if frames is None else len(frames)
        again = partial(load, choice.model) if choice.model else partial(copy, predictor)  # motion recall is light
        restorer = beside.enter_context(side_by_side(predictor, again, total, args.workers, args.executor))
        with tqdm(total=total, initial=summary.frames, unit="frame", desc="restore") as bar:
            try:
                for sequence in sequences:

                    def note(positions: list[int], name: str = sequence.name) -> None:
                        summary.know(sequences)
                        journal.note(name, positions, summary.to_json())

                    folder = journal.folder / sequence.name
                    sink: Sink = FolderSink(folder, compare=args.compare, confidence=args.confidence)
                    if film is not None:
                        sure = journal.folder / CONFIDENCE if args.confidence else None
                        made = journal.folder / args.out.name
                        sink = FilmSink(made, seen.kept, sequence, film, rate, frames, sure, watched)
                    lost += restore_footage(
                        restorer, sequence, masks, args.state, seen.also(sink, sequence), summary, frames=frames,
                        done=frozenset(journal.done.get(sequence.name, ())), note=note, progress=bar.update,
                    )  # fmt: skip
            except KeyboardInterrupt:
                if journal.done:
                    print("\ngive the same command again to go on", file=sys.stderr)
                raise
        if masks.detect and not summary.fills:
            nothing = f"--detect found nothing in {summary.frames} frames; looked for {masks.looked_for()}"
            if not summary.masked and not args.allow_none and part is None:
                raise DataError(f"{nothing}. Name the colour or another --detect-tolerance, say what is missing with "
                                "--mask or --rect, or add --allow-none for copies of the input")  # fmt: skip
            notes.append(nothing)
            print(nothing, file=sys.stderr)
        if film is not None and (journal.folder / CONFIDENCE).exists():
            publish(journal.folder / CONFIDENCE, confidence_of(args.out)[0])
        summary.know(sequences)
        problems = summary.problems
        for problem in problems:
            print(f"warning: {problem}", file=sys.stderr)
        pictures = [] if film is not None else [line for s in sequences for line in getattr(s, "remarks", ())]
        not_kept = [*pictures, *(f"{args.out.name}: {line}" for line in dict.fromkeys(lost))]
        for line in (*not_kept, *seen.film(sequences[0], beside)):
            print(f"note: {line}", file=sys.stderr)
        args.out = target or args.out
        report = report_of(summary, masks.tube is not None, args.confidence, args.out)
        report |= {"problems": problems, "notes": notes, "not_kept": not_kept, "pairing": pairing}
        seen.page(choice.why, report, summary, beside)
        seen.clear()
        (journal.folder / WEIGHTS).unlink(missing_ok=True)
        files = files_of(journal.folder) if part is not None else []
    if part is not None:
        found_none = masks.detect and not args.allow_none and not summary.masked
        part.done({"report": report, "summary": summary.to_json(), "files": files, "found_none": found_none})
    write_result(args.json, report)
    print_report(report)
    return 0
