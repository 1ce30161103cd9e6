"""What is kept of restored frames for a report: figures of every frame, and pictures of a few."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...atlas.known_pixels import SURE
from ...atomic import sync_files, write_text
from ...drawing.panels import show_error
from ...games.palette import unpack_rgb
from ...restoration.result import METHODS
from ..footage.base import Footage
from ..sinks import RestoredFrame
from .sources import confidence_panel, method_panel, unseen_panel

EXAMPLES = 6  # frames of which pictures are kept, beside the one that was least sure
WIDEST = 480  # pixels across of a picture in a report; larger ones are scaled down
_LINES = "frames.jsonl"
_BITS = 32


@dataclass(frozen=True)
class FrameFigures:
    """Of one frame: pixels that were `missing`, of them `unseen` in any frame, `sure` ones, the sum of what is said of
    how sure each is (None where nothing is), and how many come from each of METHODS."""

    position: int
    pixels: int
    missing: int
    unseen: int
    sure: int
    confidence: float | None
    methods: Sequence[int]

    @classmethod
    def of(cls, frame: RestoredFrame) -> FrameFigures:
        mask, said, method = frame.mask, frame.confidence, frame.method
        return cls(
            frame.position,
            mask.size,
            int(mask.sum()),
            0 if frame.shown is None else int((mask & ~frame.shown).sum()),
            0 if said is None else int((said[mask] >= SURE).sum()),
            None if said is None else float(said[mask].sum(dtype=np.float64)),
            (0,) * len(METHODS)
            if method is None
            else tuple(np.bincount(method[mask], minlength=len(METHODS)).tolist()),
        )

    @property
    def mean_confidence(self) -> float | None:
        """None where nothing is missing, too."""
        return None if self.confidence is None or not self.missing else self.confidence / self.missing


@dataclass(frozen=True)
class Example:
    """Pictures of one frame: (heading, width and height, a data URI)."""

    position: int
    file: str
    panels: list[tuple[str, tuple[int, int], str]]


class ReportSink:
    """Keeps what a report tells of the frames of one footage, in a folder of its own.

    Of the damaged frames those are shown whose positions, their bits reversed, are the smallest: they lie evenly in
    whatever stretch is damaged, and are the same ones whichever order frames come in.
    """

    def __init__(self, folder: Path, examples: int = EXAMPLES) -> None:
        self._folder, self._examples = folder, examples
        self._lines = folder / _LINES
        written = self._lines.read_bytes() if self._lines.exists() else b""
        if written and not written.endswith(b"\n"):  # cut off when a run was interrupted
            self._lines.write_bytes(written + b"\n")
        self._spread = {int(path.stem[1:]): path for path in folder.glob("s*.json")}
        self._weakest = next(iter(sorted(folder.glob("w*.json"))), None)
        self._least = (2.0, 0)
        if self._weakest is not None:
            kept = json.loads(self._weakest.read_bytes())
            self._least = kept["least"], kept["position"]

    def write(self, frame: RestoredFrame) -> None:
        figures = FrameFigures.of(frame)
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lines.open("a") as file:
            file.write(json.dumps(list(vars(figures).values())) + "\n")
        if not figures.missing:
            return
        if frame.position not in self._spread:
            kept = sorted([*self._spread, frame.position], key=_reversed)[: self._examples]
            if frame.position in kept:
                self._spread[frame.position] = self._save("s", frame, 0)
            for position in set(self._spread) - set(kept):
                self._spread.pop(position).unlink(missing_ok=True)
        sure = figures.mean_confidence
        if sure is not None and (sure, frame.position) < self._least:
            before, self._least = self._weakest, (sure, frame.position)
            self._weakest = self._save("w", frame, sure)
            if before is not None and before != self._weakest:
                before.unlink(missing_ok=True)

    def settle(self) -> None:
        if self._lines.exists():
            sync_files([self._lines])

    def finish(self, footage: Footage) -> list[str]:
        return []

    def figures(self) -> list[FrameFigures]:
        """Of all frames, in their order."""
        found = {}
        for line in self._lines.read_text().splitlines() if self._lines.exists() else ():
            try:
                values = json.loads(line)
            except ValueError:  # cut off; the frame came again
                continue
            found[values[0]] = FrameFigures(*values)
        return [found[position] for position in sorted(found)]

    def examples(self) -> list[Example]:
        """Of the frames that are shown, in their order."""
        weakest = [] if self._weakest is None else [self._weakest]
        found = {}
        for path in [*weakest, *self._spread.values()]:
            kept = json.loads(path.read_bytes())
            panels = [(name, (size[0], size[1]), uri) for name, size, uri in kept["panels"]]
            found[kept["position"]] = Example(kept["position"], kept["file"], panels)
        return [found[position] for position in sorted(found)]

    def _save(self, kind: str, frame: RestoredFrame, least: float) -> Path:
        path = self._folder / f"{kind}{frame.position:09d}.json"
        kept = {"position": frame.position, "file": frame.file, "least": least, "panels": panels_of(frame)}
        write_text(path, json.dumps(kept))
        return path


def panels_of(frame: RestoredFrame) -> list[tuple[str, tuple[int, int], str]]:
    """All that can be shown of a frame, as of `Example`."""
    panels = [("damaged", frame.marked), ("restored", frame.restored)]
    if frame.known.any():
        truth = unpack_rgb(frame.picture.packed)
        panels.append(("error x2", show_error(np.where(frame.known[..., None], frame.restored, truth), truth)))
    if frame.confidence is not None:
        panels.append(("confidence", confidence_panel(frame)))
    if frame.shown is not None:
        panels.append(("shown by no frame", unseen_panel(frame)))
    if frame.method is not None:
        panels.append(("comes from", method_panel(frame)))
    return [(name, (picture.shape[1], picture.shape[0]), data_uri(picture)) for name, picture in panels]


def data_uri(picture: np.ndarray) -> str:
    """uint8 [H, W, 3] as a file within a page: a PNG file, or a JPEG file where that is far smaller."""
    from PIL import Image

    image = Image.fromarray(picture)
    if image.width > WIDEST:
        image = image.resize((WIDEST, max(1, round(image.height * WIDEST / image.width))), Image.Resampling.BOX)
    made: dict[str, bytes] = {}
    ways: dict[str, dict[str, Any]] = {"png": {"optimize": True}, "jpeg": {"quality": 88}}
    for form, how in ways.items():
        file = io.BytesIO()
        image.save(file, form.upper(), **how)
        made[form] = file.getvalue()
    form = "jpeg" if 2 * len(made["jpeg"]) < len(made["png"]) else "png"
    return f"data:image/{form};base64,{base64.b64encode(made[form]).decode('ascii')}"


def _reversed(position: int) -> int:
    return int(f"{position:0{_BITS}b}"[::-1], 2)
