"""What `hstmae restore` tells of its work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..options.films import confidence_of

if TYPE_CHECKING:
    from ...inference.job import RestoreSummary


def report_of(summary: RestoreSummary, synthetic: bool, confidence: bool, out: Path) -> dict[str, Any]:
    """The summary as JSON values, but for what was wrong with the input.

    Args:
        synthetic: the mask hid what is known.
        confidence: how sure each pixel is was written as well.
    """
    from ...atlas.known_pixels import SURE
    from ...evaluation.decibels import psnr

    report: dict[str, Any] = {
        "frames": summary.frames,
        "damaged_frames": summary.damaged_frames,
        "masked_pixels": summary.masked,
        "masked_share": summary.masked / max(summary.pixels, 1),
        "state": sorted(summary.levels),
        "detected_colours": [f"#{c:06x}" for c in sorted(summary.fills)],
        "out": str(out),
        "confidence": confidence,
        "confidence_out": str(confidence_of(out)[0]) if confidence else None,
        "sure_share": summary.sure / summary.rated if summary.rated else None,
        "sure_from": SURE,
        "guessed_text_pixels": summary.guessed,
        "disproved_frames": summary.disproved,
        "psnr_masked": None,
        "exact_match": None,
    }
    if synthetic and summary.known:
        report["psnr_masked"] = psnr(summary.squared / 3 / summary.known)
        report["exact_match"] = summary.exact / summary.known
    return report


def joined_report(reports: Sequence[dict[str, Any]], summaries: Sequence[RestoreSummary], out: Path) -> dict[str, Any]:
    """The report of the folder `out`, put together from parts.

    Args:
        reports, summaries: of the parts, in their order.
    """
    total = summaries[0]
    for summary in summaries[1:]:
        total.merge(summary)
    lists = ("problems", "notes", "not_kept", "pairing")
    synthetic = any(report["psnr_masked"] is not None for report in reports)
    joined = {name: list(dict.fromkeys(line for report in reports for line in report[name])) for name in lists}
    return {**report_of(total, synthetic, reports[0]["confidence"], out), **joined}


def print_report(report: dict[str, Any]) -> None:
    """Say it in a few lines."""
    if not report["masked_pixels"]:
        print(f"no damage found in {report['frames']} frames; copies are in {report['out']}")
        return
    print(
        f"restored {report['damaged_frames']} of {report['frames']} frames, {report['masked_pixels']} pixels "
        f"({report['masked_share']:.1%}), state {'/'.join(report['state'])}, into {report['out']}"
    )
    if report["detected_colours"]:
        print(f"taken for damage: blocks of {', '.join(report['detected_colours'])}")
    if report["sure_share"] is not None:
        where = f"; how sure each pixel is: {report['confidence_out']}" if report["confidence"] else ""
        print(f"sure of {report['sure_share']:.1%} of them (probability {report['sure_from']} or more){where}")
    if report["guessed_text_pixels"]:
        print(
            f"text was hidden all the time that neither a frame nor the state tells: its digits are guesses "
            f"({report['guessed_text_pixels']} pixels)"
        )
    if report["disproved_frames"]:
        count = report["disproved_frames"]
        print(
            f"{count} frame{'s' * (count != 1)} show{'s' * (count == 1)} something else than the game's memory says "
            f"and {'were' if count != 1 else 'was'} restored without it: is it that of this recording?"
        )
    if report["psnr_masked"] is not None:
        print(
            f"against what the mask hid: {report['psnr_masked']:.2f} dB (mean colour, masked pixels, pooled), "
            f"{report['exact_match']:.3%} of pixels exact"
        )
