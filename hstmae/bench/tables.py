"""What was measured, as tables for the terminal, which are Markdown as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .measuring import WHOLE


def lossless_table(rows: Sequence[dict[str, Any]], originals: dict[str, float]) -> str:
    """A line per method; "x NAME": how many times smaller than that."""
    names = list(originals)
    head = ["without loss", "given", "holds", "access every", "bytes/frame", *(f"x {name}" for name in names)]
    lines = []
    for row in rows:
        size = row["bytes_per_frame"]
        shown = row["holds"].startswith(("pictures", "the film"))  # the others are no substitute for pictures
        ratios = [f"{originals[name] / size:,.1f}" if shown else "" for name in names]
        exact = "" if row["psnr"] is None else f" ({row['psnr']:.1f} dB)"
        lines.append(
            [row["method"] + exact, row["given"], row["holds"], row["access"], f"{size:,.1f}", *ratios,
             f"{row['encode_ms']:.2f}", f"{row['decode_ms']:.2f}"]
        )  # fmt: skip
    return grid([*head, "encode ms", "decode ms"], lines, left=4)


def lossy_table(rows: Sequence[dict[str, Any]], qualities: Sequence[float]) -> str:
    """Bytes a frame at each quality; "–" where a codec does not reach it in all clips."""
    head = ["with loss, bytes/frame at", "palette snap", *(f"{q:g} dB" for q in qualities), "encode ms", "decode ms"]
    lines = []
    for row in rows:
        sizes = ["–" if size is None else f"{size:,.0f}" for size in row["bytes_at"]]
        times = [f"{row['encode_ms']:.2f}", f"{row['decode_ms']:.2f}"]
        lines.append([row["codec"], "yes" if row["snap"] else "no", *sizes, *times])
    return grid(head, lines, left=2)


def grid(head: Sequence[str], lines: Sequence[Sequence[str]], left: int) -> str:
    """Columns of one width; the first `left` are words, the others figures."""
    widths = [max(len(line[k]) for line in (head, *lines)) for k in range(len(head))]

    def row(cells: Sequence[str]) -> str:
        shown = [c.ljust(w) if k < left else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return "| " + " | ".join(shown) + " |"

    rule = ["-" * (w + 2) if k < left else "-" * (w + 1) + ":" for k, w in enumerate(widths)]
    return "\n".join([row(head), "|" + "|".join(rule) + "|", *map(row, lines)])


def verdicts(found: Sequence[dict[str, Any]]) -> list[str]:
    """What of ours takes which share of the best of the others, a line each."""
    lines = []
    for row in found:
        said = [
            f"{row[what]['ratio']:.2f} of {row[what]['best']}"
            + (", given the pictures as they are" if what == "RGB" else "")
            for what in ("RGB", "all")
            if what in row and (what == "RGB" or row[what] != row.get("RGB"))
        ]
        if said:
            access = "without access" if row["access"] == WHOLE else f"access every {row['access']}"
            lines.append(f"{row['method']}, {access}: " + "; ".join(said))
    return lines
