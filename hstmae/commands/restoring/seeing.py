"""The options of `restore` by which people see what it did, or will do; and what they write."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError, UsageError
from ...output import STDOUT, Kind, Output, write_result
from ..options import COUNT
from ..options.films import confidence_of, is_picture, kind_of
from ..options.parts import part_outputs

if TYPE_CHECKING:
    from contextlib import ExitStack

    from ...inference.footage.base import Footage
    from ...inference.job import Restores, RestoreSummary
    from ...inference.mask_rules import MaskRules
    from ...inference.showing.before_after import BeforeAfterSink
    from ...inference.showing.figures import ReportSink
    from ...inference.sinks import Frames, Sink

PAGES = (".html", ".htm")


def add_seeing(parser: argparse.ArgumentParser) -> None:
    """`--preview`, `--before-after`, `--report`, `--confidence` and `--compare`."""
    part = parser.add_argument_group("seeing it")
    first = "restore N of the damaged frames, spread evenly, into one picture (damaged, with what is missing tinted | "
    first += "restored | confidence), say how long the whole run takes, and stop; nothing else is written. The picture "
    first += "is NAME.preview.png beside --out"
    part.add_argument("--preview", type=COUNT, metavar="N", help=first)
    film = "also a film of before and after: damaged left, restored right, at the same times, without sound"
    part.add_argument("--before-after", type=Path, metavar="FILE", help=film)
    page = "also a report: what was restored, by what, how sure, over time, with pictures; one file that needs nothing "
    page += "else"
    part.add_argument("--report", type=Path, metavar="FILE.html", help=page)
    sure = "also write how sure each pixel is, as grey pictures (white = certain, black = a guess): to DIR/confidence, "
    sure += "beside a film NAME.mp4 to the folder NAME.confidence, beside a picture to NAME.confidence.png"
    part.add_argument("--confidence", action="store_true", help=sure)
    part.add_argument("--compare", action="store_true", help="also write side-by-side pictures to DIR/compare")


def preview_of(out: Path) -> Path:
    """Where `--preview` goes."""
    whole = is_picture(out) or kind_of(out) is Kind.FILE
    return out.with_name(f"{out.stem if whole else out.name}.preview.png")


def outputs_of(args: argparse.Namespace) -> list[Output]:
    """What `restore` writes."""
    if args.preview is not None:
        return [(preview_of(args.out), Kind.FILE), (args.json, Kind.FILE)]
    own = (args.out, Kind.FILE if is_picture(args.out) else kind_of(args.out))
    if args.part is not None and own[1] is Kind.FOLDER:
        return [*part_outputs(args, args.out, Kind.FOLDER), (args.json, Kind.FILE)]
    beside = args.confidence and own[1] is Kind.FILE and args.out != STDOUT
    more = [(args.json, Kind.FILE), (args.before_after, Kind.FILE), (args.report, Kind.FILE)]
    return [own, *more, *([confidence_of(args.out)] if beside else [])]


def check_seeing(args: argparse.Namespace, sequences: Sequence[Footage]) -> None:
    """Raises UsageError for options that do not fit each other, or the footage."""
    from ...film.codecs import CONTAINERS, is_film

    if args.report is not None and args.report.suffix.lower() not in PAGES:
        raise UsageError(f"--report {args.report}: is one HTML file; give a name that ends in .html")
    film = args.before_after
    if film is None:
        return
    if not is_film(film):
        raise UsageError(
            f"--before-after {film}: is one film; give a name that ends in {', '.join(sorted(CONTAINERS))}"
        )
    if len(sequences) > 1:
        raise UsageError(
            f"--before-after {film}: one film shows one film or folder, the input holds {len(sequences)}: name one of "
            "them; --report shows them all"
        )
    if [s.count for s in sequences] == [1]:
        raise UsageError(f"--before-after {film}: the input is one picture; --compare sets pictures side by side")


def preview(
    args: argparse.Namespace, restorer: Restores, sequences: Sequence[Footage], masks: MaskRules, frames: range | None
) -> int:
    """Restore some frames and tell how long all of them take."""
    from tqdm import tqdm

    from ...atomic import write_bytes
    from ...inference.job import RestoreSummary
    from ...inference.showing.preview import LOOK, duration, look, rows_of, seconds_of_all, sheet

    total = sum(s.count for s in sequences) if frames is None else len(frames)
    with tqdm(total=min(total, LOOK), unit="frame", desc="look") as bar:
        damage = look(sequences, masks, frames, bar.update)
    if not damage.count:
        raise DataError(
            f"--preview: none of the {damage.seen} frames that were looked at is damaged; --start TIME or --frames A:B "
            "looks elsewhere, --dilate, --mask, --rect, --lost and --detect say what is missing"
        )
    chosen, summary, rows = damage.spread(args.preview), RestoreSummary(), []
    with tqdm(total=sum(map(len, chosen)), unit="frame", desc="restore") as bar:
        for footage, own in zip(sequences, chosen, strict=True):
            if own:
                rows += rows_of(restorer, footage, masks, args.state, own, summary, bar.update)
    seconds = seconds_of_all(restorer, sequences, masks, args.state, damage)
    path = preview_of(args.out)
    write_bytes(path, sheet(f"{args.input.name}: {len(rows)} of {damage.count} damaged frames", rows))
    part = "" if damage.seen >= damage.total else f" of the first {damage.seen}"
    report: dict[str, Any] = {
        "preview": str(path), "shown": chosen, "damaged_frames": damage.count, "looked_at": damage.seen,
        "frames": damage.total, "seconds_of_all": seconds,
        "sure_share": summary.sure / summary.rated if summary.rated else None,
    }  # fmt: skip
    write_result(args.json, report)
    print(f"preview: {len(rows)} of {damage.count} damaged frames{part}, in {path}")
    if report["sure_share"] is not None:
        print(f"sure of {report['sure_share']:.1%} of their missing pixels")
    print(f"all {damage.total} frames take about {duration(seconds)}; leave out --preview to restore them")
    return 0


def watched(frames: Frames, count: int, name: str) -> Frames:
    """Tells how far writing a film has come."""
    from tqdm import tqdm

    yield from tqdm(frames, total=count, unit="frame", desc=f"write {name}")


class Seen:
    """What `--before-after` and `--report` need of the frames, in a folder within that of an unfinished run.

    Attributes:
        kept: restored pixels, which a film as output needs, too.
    """

    def __init__(
        self, args: argparse.Namespace, folder: Path, rate: float, frames: range | None, masks: MaskRules
    ) -> None:
        from ...inference.kept import KeptPixels

        self._args, self._folder, self._rate, self._frames = args, folder / ".seen", rate, frames
        self._hides = masks.tube is not None
        self.kept = KeptPixels(self._folder / "kept")
        self._reports: list[tuple[str, ReportSink]] = []
        self._pair: BeforeAfterSink | None = None

    @property
    def lost(self) -> bool:
        """Whether an earlier run had cleared it away when it was stopped, just before its outputs got their names."""
        asked = (self._args.before_after, self._args.report, None if kind_of(self._args.out) is Kind.FOLDER else True)
        return any(asked) and not self._folder.exists()

    def beside(self, sequence: Footage) -> BeforeAfterSink | None:
        """What keeps frames for the film of before and after; None where none is asked for.

        Raises:
            UsageError: no such film can be written.
        """
        from ...inference.showing.before_after import BeforeAfterSink

        film = self._args.before_after
        if film is None:
            return None
        return BeforeAfterSink(film, self.kept, sequence, self._rate, self._frames, self._hides, watched)

    def also(self, sink: Sink, sequence: Footage) -> Sink:
        """A sink for the frames of a sequence, and for all else that needs them."""
        from ...inference.showing.figures import ReportSink
        from ...inference.sinks import EverySink

        sinks, self._pair = [sink], self.beside(sequence)
        if self._pair is not None:
            sinks.append(self._pair)
        if self._args.report is not None:
            report = ReportSink(self._folder / str(len(self._reports)))
            self._reports.append((sequence.name, report))
            sinks.append(report)
        return EverySink(*sinks)

    def film(self, sequence: Footage, beside: ExitStack) -> list[str]:
        """Write the film of before and after; it gets its name when `beside` ends. Returns what it does not keep."""
        from ...atomic import replacing

        if self._pair is None:
            return []
        return self._pair.film(sequence, beside.enter_context(replacing(self._args.before_after)))

    def page(self, why: str, report: dict[str, Any], summary: RestoreSummary, beside: ExitStack) -> None:
        """Write the report; it gets its name when `beside` ends."""
        from ... import __version__
        from ...atomic import replacing
        from ...inference.showing.page import Page, Section

        args = self._args
        if args.report is None:
            return
        page = Page(
            f"Restoration of {args.input.name}",
            f"Restored {why}.",
            list(_facts(report, summary)),
            [Section(name, kept.figures(), kept.examples()) for name, kept in self._reports],
            [
                ("What could not be kept", report["not_kept"]),
                ("What was wrong with the input", report["problems"]),
                ("How the input was read", [*report["notes"], *report["pairing"]]),
            ],
            f"{report['out']} was made of {args.input} by hstmae {__version__}.",
        )
        beside.enter_context(replacing(args.report)).write_text(page.html(), "utf-8")

    def clear(self) -> None:
        """Nothing of it may be in the output."""
        if self._folder.exists():
            gone = self._folder.with_name(f"{self._folder.name}-gone")
            os.replace(self._folder, gone)  # all at once, see `lost`
            shutil.rmtree(gone)


def _facts(report: dict[str, Any], summary: RestoreSummary) -> Iterator[tuple[str, str]]:
    yield f"{report['damaged_frames']:,} of {report['frames']:,}", "frames were damaged"
    yield f"{report['masked_share']:.1%}", f"of all pixels were missing ({report['masked_pixels']:,})"
    if report["sure_share"] is not None:
        yield f"{report['sure_share']:.1%}", f"of these are sure (probability {report['sure_from']} or more)"
    if report["guessed_text_pixels"]:
        yield f"{report['guessed_text_pixels']:,}", "pixels are text that nothing tells: guesses"
    if report["disproved_frames"]:
        yield f"{report['disproved_frames']:,}", "frames show something else than the game's memory says"
    if report["psnr_masked"] is not None:
        yield f"{report['psnr_masked']:.2f} dB", f"against what was hidden; {report['exact_match']:.2%} exactly right"
    if summary.levels - {"none"}:
        yield "/".join(report["state"]), "of the game's state was used"
    if report["detected_colours"]:
        yield ", ".join(report["detected_colours"]), "blocks of this colour were taken for damage"
