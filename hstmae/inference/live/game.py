"""Live restoration of a game that a model knows: what the past and the atlas show, then the network for the rest."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ...atlas.following import FollowingLocator
from ...atlas.known_pixels import Claim, Known, believed, from_atlas
from ...atlas.locate import Locator
from ...atlas.recall import TRUST
from ...atlas.running_looks import RunningAtlas
from ...atlas.sightings import LevelSightings
from ...games import GameState
from ...games.palette import nearest_entries
from ...games.pixels import View
from ...models.masking import SHOWN, spread_order
from ...motion.running import RunningRecall
from ...motion.spatial import smooth
from ...restoration.clips import take_over
from ...restoration.disproved import fill_blanks
from ...restoration.mixing import add_known, sources
from ...restoration.restorer import UNIT, Restorer, padded
from ...restoration.result import Restoration
from ...restoration.threads import threads
from ...restoration.untold import mark_guesses, untold_text
from ...restoration.without_state import Motion, cleared, drawn_frames, enter, join, scenery_of

VERDICTS = 8  # frames of which it is remembered whether they were disproved
CLIP = 2  # frames that the network sees, at the game's stride: the newest is drawn


@dataclass(frozen=True)
class _Now(View):
    """One frame, whose text is shown as the frames before it leave it: ids int16 [1, rows, columns]."""

    text: np.ndarray | None = None

    def shown_text(self) -> np.ndarray:
        return super().shown_text() if self.text is None else self._ids(1, self.text)


class _Past(NamedTuple):
    """A frame that went by: entries [1, H, W] with all that is known, what was missing of it and what still is."""

    entries: np.ndarray
    missing: np.ndarray
    unknown: np.ndarray
    state: GameState | None


class LiveGame:
    """One stream of a palette game's frames. Memory is bounded: see `LevelSightings` and `FollowingLocator`."""

    def __init__(self, restorer: Restorer, level: str, origin: tuple[int, int] = (0, 0)) -> None:
        self.restorer, self.game, self.level, self.origin = restorer, restorer.game, level, origin
        self._locator: Locator | None = None
        if restorer.atlas is not None and restorer.recall:
            self._locator = FollowingLocator(RunningAtlas.of(restorer.atlas), self.game)
        self.restart()

    def restart(self) -> None:
        """Forget all frames: what comes is another recording."""
        self._past: deque[_Past] = deque(maxlen=(CLIP - 1) * self.game.stride)
        self._sightings: LevelSightings | None = None
        self._recall: RunningRecall | None = None
        self._context: np.ndarray | None = None
        self._memory: np.ndarray | None = None
        self._text: np.ndarray | None = None
        self._seen: np.ndarray | None = None
        self._verdicts: deque[bool] = deque(maxlen=VERDICTS)
        if isinstance(self._locator, FollowingLocator):
            self._locator.restart()

    def frame(
        self, entries: np.ndarray, missing: np.ndarray, memory: np.ndarray | None, hurry: bool = False
    ) -> Restoration:
        """Restore the next frame.

        Args:
            entries: uint8 [H, W] palette entries, of one size; missing: bool [H, W].
            memory: uint8 [S], the game's; None without any.
            hurry: neither the network nor motion recall is asked: what nobody knows is drawn smoothly, with
                confidence 0.
        """
        mask = missing[None]
        cleared = np.where(mask, np.uint8(0), entries[None])
        before = (self._memory, self._context, self._text)
        view = self._view(cleared, mask, memory)
        known = self._known(view, hurry)
        if known is not None:
            cleared[known.found] = known.indices[known.found]
            view = replace(view, frames=cleared, mask=mask & ~known.found)
            if known.disproved is not None and known.disproved.any():
                view = replace(view, state=None, level="none")
                self._memory, self._context, self._text = before  # what comes goes on from the frame before
        result = Restoration(self.game.palette.take(cleared, axis=0), cleared.copy(), None)
        if self.restorer.rates:
            result.confidence = np.ones(mask.shape, np.float32)
        if mask.any():
            result.method, result.shown = sources(mask, known)
            if view.mask.any():
                (self._smooth if hurry else self._draw)(result, view, mask)
            if known is not None:
                add_known(result, known, self.game.palette, np.zeros(1, np.int64))
            if result.confidence is not None:
                mark_guesses(result.confidence, self._untold(view))
        self._seen = ~missing if self._seen is None else self._seen | ~missing
        self._past.append(_Past(cleared, mask, view.mask, view.state))
        return result

    def _view(self, frames: np.ndarray, mask: np.ndarray, memory: np.ndarray | None) -> _Now:
        if memory is None or self.level == "none":
            self._memory = self._context = self._text = None
            return _Now(frames, mask, self.game, None, "none", self.origin)
        context = self._carried(memory)
        state = self.game.decode(memory[None], None if context is None else context[None])
        return _Now(frames, mask, self.game, state, self.level, self.origin, text=self._shown(state))

    def _carried(self, memory: np.ndarray) -> np.ndarray | None:
        """The game's context of this frame, from that of the last."""
        last, self._memory = self._memory, memory
        if not self.game.context_size:
            return None
        if last is None or self._context is None:
            self._context = self.game.context(memory[None], np.zeros(1, np.int64))[0]
        else:
            self._context = self.game.carry(self._context, np.stack([last, memory]))
        return self._context

    def _shown(self, state: GameState) -> np.ndarray | None:
        """Text of the status bar as it is shown now, int16 [1, rows, columns]; see `GameSpec.shown_text`."""
        if len(self.game.tile_layers) < 2:
            return None
        if self._text is None:
            self._text = self.game.shown_text(state, self.level)
        else:
            before = replace(state, tiles=(state.tiles[0], self._text), undrawn=0 * state.undrawn)
            both = GameState.stack([before, state], np.concatenate)
            self._text = self.game.shown_text(both, self.level)[1:]
        return self._text

    def _known(self, view: View, hurry: bool) -> Known | None:
        if not self.restorer.recall:
            return None
        made = Known(np.zeros(view.shape, np.uint8), np.zeros(view.shape, np.float32))
        if view.state is None:
            return self._known_without_state(view, made, hurry)
        claim, varying = None, None
        if self._locator is not None and view.mask.any():
            claim, varying = from_atlas(view, self._locator)
        if claim is not None and claim.disproved is not None:
            self._verdicts.append(bool(claim.disproved[0]))
            # Most of the last ones: things look otherwise than the atlas knows them, and the state may well be true.
            if claim.disproved[0] and 2 * sum(self._verdicts) <= VERDICTS:
                return self._known_of_stranger(view, made)
            claim.disproved = None
        if self._sightings is None:
            self._sightings = LevelSightings((view.shape[1], view.shape[2]))
        colours, found = self._sightings.pass_by(view)
        made.indices[found], made.trust[found] = colours[found], TRUST
        made.recalled = found
        return made if claim is None else believed(view, made, claim, varying)

    def _known_of_stranger(self, view: View, made: Known) -> Known:
        """Of a frame that shows something else than its state says: it lends nothing to those after it."""
        alone = view.at_level("none")
        assert self._locator is not None
        made = believed(alone, made, *from_atlas(alone, self._locator))
        made.disproved = np.ones(1, bool)
        fill_blanks(alone, made)
        return made

    def _known_without_state(self, view: View, made: Known, hurry: bool) -> Known:
        """As `known_without_state`, of the past alone. Frames of which nothing is missing are looked at as well: they
        tell where those after them are, and how things move."""
        claim, varying = Claim(made.indices.copy(), made.trust.copy()), None
        if self._locator is not None:
            claim, varying = from_atlas(view, self._locator)
            made = believed(view, made, claim, varying)
        if self._recall is None:
            self._recall = RunningRecall((view.shape[1], view.shape[2]), threads=threads())
        scenery, _ = scenery_of(view, claim)
        frame = np.where(view.mask[0][..., None], np.uint8(0), cleared(view, claim, scenery)[0])
        drawn = self._recall.frame(frame, view.mask[0], bool(drawn_frames(view.mask)[0]) and not hurry)
        if drawn is not None:
            motion = Motion.nothing(view)
            enter(motion, 0, drawn, view, claim, scenery)
            join(made, view, motion, claim, None if varying is None else varying[0])
        return made

    def _draw(self, result: Restoration, view: View, missing: np.ndarray) -> None:
        """Let the network draw what is unknown, in place."""
        now = _Past(view.frames, missing, view.mask, view.state)
        stride = self.game.stride
        some = [*list(self._past)[-stride * (CLIP - 1) :: stride], now]
        some = [one for one in some if (one.state is None) == (now.state is None)]
        some = [some[0]] * (len(some) % 2) + some
        hidden, at_first = (
            np.concatenate(parts) for parts in zip(*((p.unknown, p.missing) for p in some), strict=True)
        )
        frames = np.where(hidden, np.uint8(0), np.concatenate([p.entries for p in some]))
        wanted = np.zeros_like(hidden)
        wanted[-1] = view.mask[0]
        state = None
        if view.state is not None:
            states = [p.state for p in some if p.state is not None]
            state = GameState.stack(states, np.concatenate)
        masks = tuple(padded(one, "constant") for one in (hidden, at_first, wanted))
        unshown = _unshown(masks[0], masks[2])
        masks = (masks[0] | unshown, masks[1] | unshown, masks[2])
        height, width = view.shape[1:]
        native = (height + self.origin[0], width + self.origin[1])
        made = self.restorer.draw(padded(frames, "edge"), masks, self.game.palette, state, view, native)
        where = view.mask[0]
        for own, drawn in (
            (result.rgb, made.rgb),
            (result.indices, made.indices),
            (result.confidence, made.confidence),
        ):
            if own is not None and drawn is not None:
                take_over(own[0], drawn[-1, :height, :width], where)

    def _smooth(self, result: Restoration, view: View, missing: np.ndarray) -> None:
        """Draw what is unknown from what is around it, in place."""
        unknown = view.mask[0]
        drawn = smooth(np.where(unknown[..., None], np.uint8(0), result.rgb[0]), unknown)[unknown]
        result.rgb[0][unknown] = np.rint(drawn).clip(0, 255)
        if result.indices is not None:
            result.indices[0][unknown] = nearest_entries(result.rgb[0][unknown], self.game.palette, self.game)
        if result.confidence is not None:
            result.confidence[0][unknown] = 0

    def _untold(self, view: View) -> np.ndarray:
        """As `untold_text`: what an earlier frame has shown is no guess."""
        untold = untold_text(view)
        return untold if self._seen is None else untold & ~self._seen


def _unshown(hidden: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Visible columns of 16x16 pixels that the network need not see: all but as many as it was trained to, those that
    are nearest to what is to be drawn and others all over the picture. bool [1, h, w] of masks bool [T, h, w]."""
    rows, columns = hidden.shape[1] // UNIT, hidden.shape[2] // UNIT
    seen = ~hidden.any(0).reshape(rows, UNIT, columns, UNIT).any((1, 3))
    asked = wanted.any(0).reshape(rows, UNIT, columns, UNIT).any((1, 3))
    y, x = np.nonzero(asked)
    far = np.abs(np.arange(rows)[:, None, None] - y).clip(0) + np.abs(np.arange(columns)[None, :, None] - x)
    most = round(SHOWN * rows * columns)
    near = np.argsort(np.where(seen, far.min(2), rows + columns), axis=None, kind="stable")
    order = [*near[: most // 2].tolist(), *spread_order((rows, columns)).tolist()]
    chosen = [unit for unit in dict.fromkeys(order) if seen.flat[unit]][:most]
    seen.flat[chosen] = False
    return seen.repeat(UNIT, 0).repeat(UNIT, 1)[None]
