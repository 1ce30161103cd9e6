"""What an episode's frames lose as 8-bit RGB: refused where nothing may be lost, counted in any case."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from ...errors import DataError
from ...film.facts import FilmFacts
from ...film.layout import layout_of
from ...pictures.facts import KINDS as OF_PICTURES
from ...pictures.facts import Loss
from .base import Problem, Report

KINDS = {
    **OF_PICTURES,
    "times": "times of frames that are shown unequally long",
    "streams": "sound, subtitles and other streams",
}
Allowed = tuple[str, ...] | None  # kinds that may be lost; None = all, which are counted all the same


class LossWatch:
    """Looks at what the frames of one episode are made from.

    Args:
        episode: its name.
        report: takes what is lost, one remark a kind.
        notes: gets "lost_KIND" and "refused_KIND", each with the number of files.
        allowed: what may be lost of what changes the picture. What stands beside it is remarked only.
    """

    def __init__(self, episode: str, report: Report, notes: dict[str, int], allowed: Allowed) -> None:
        self._episode, self._report, self._notes, self._allowed = episode, report, notes, allowed
        self._words: dict[str, set[str]] = defaultdict(set)
        self._files: Counter[str] = Counter()

    def note(self, losses: Iterable[Loss]) -> None:
        """What one file loses. Raises DataError where that is refused."""
        found = tuple(losses)
        refused = [loss for loss in found if loss.changes and not self._may_go(loss.kind)]
        for kind in {loss.kind for loss in refused}:
            self._notes[f"refused_{kind}"] = self._notes.get(f"refused_{kind}", 0) + 1
        if refused:
            kinds = ",".join(sorted({loss.kind for loss in refused}))
            what = " and ".join(loss.what for loss in refused)
            raise DataError(f"has {what}, which frames of 8-bit RGB lose (--allow-loss {kinds} takes it all the same)")
        for kind in {loss.kind for loss in found}:
            self._files[kind] += 1
            self._notes[f"lost_{kind}"] = self._notes.get(f"lost_{kind}", 0) + 1
        for loss in found:
            self._words[loss.kind].add(loss.what)

    def _may_go(self, kind: str) -> bool:
        return self._allowed is None or kind in self._allowed

    def finish(self) -> None:
        """Report what was lost, kind by kind."""
        for kind in KINDS:
            if self._files[kind]:
                words = sorted(self._words[kind])
                shown = "; ".join(words[:3]) + ("; and others" if len(words) > 3 else "")
                count = f"{self._files[kind]} file{'s' if self._files[kind] > 1 else ''}"
                self._report(
                    Problem(self._episode, "", f"not kept of {count}: {KINDS[kind]} ({shown})", left_out=False)
                )


def losses_of_film(facts: FilmFacts) -> tuple[Loss, ...]:
    """What the frames of a film lose as 8-bit RGB; the times of frames, chapters and texts are not lost."""
    layout, found = layout_of(facts.pixel_format), list[Loss]()
    if layout.bits > 8:
        found.append(Loss("depth", f"{layout.bits} bits a channel", True))
    if layout.alpha:
        found.append(Loss("alpha", "transparency", True))
    if layout.kind == "yuv":
        found.append(Loss("colours", f"{facts.pixel_format} samples", True))
    if facts.streams:
        found.append(Loss("streams", ", ".join(str(stream) for stream in facts.streams), True))
    return tuple(found)
