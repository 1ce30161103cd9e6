"""Restoring a clip: what other frames and the atlas show of the masked pixels, then the network for the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..atlas.known_pixels import Known
from ..atlas.late import in_time
from ..atlas.locate import Locator
from ..atlas.maps import Atlas
from ..config import ModelConfig
from ..games import GameSpec, GameState, get_game
from ..games.palette import nearest_entries
from ..games.pixels import View
from ..games.told import tells_pictures
from .disproved import fill_blanks, known_by_state
from .mixing import add_known, soften, sources
from .result import Restoration
from .untold import mark_guesses, untold_text
from .windows import Window, session_windows
from .without_state import known_without_state

STATE_LEVELS = {"none": 0, "compact": 1, "full": 2}  # by what a network calls them
CLIP = 16
UNIT = 16
SHORTEST, LONGEST = 64, 256  # frames of footage held in memory at a time ...
PIXELS = 256 * 240 * 256  # ... and about how many pixels
MARGIN = 4  # frames at a clip's stride that are seen before and after what is held


class ClipRestorer(ABC):
    """A game and its atlas with a network that a subclass brings: `draw`. PyTorch is not needed here.

    Attributes:
        config: the network's ModelConfig.
        game: the GameSpec it was trained for.
        recall: whether pixels are looked up in other frames and in the atlas before the network draws the rest.
        atlas: the game's maps, None without any.
        clip: frames that the network sees at once.
    """

    clip = CLIP

    def __init__(self, config: ModelConfig, *, recall: bool = True, atlas: Atlas | None = None) -> None:
        self.config = config
        self.game: GameSpec = get_game(config.game)
        self.recall = recall and self.game.indexed
        self.atlas = atlas
        self.adaptive = config.head == "adaptive"
        self._locator: Locator | None = None

    @abstractmethod
    def draw(
        self,
        frames: np.ndarray,
        masks: tuple[np.ndarray, ...],
        palette: np.ndarray,
        state: GameState | None,
        view: View,
        size: tuple[int, int],
    ) -> Restoration:
        """Run the network on one padded clip.

        Args:
            masks: bool [t, h, w] each: what is not known, what was missing at first, what is to be drawn.
            state: of its frames, numpy.
            size: of the native picture.
        """

    @property
    def rates(self) -> bool:
        """Whether it says how sure each pixel is."""
        return self.config.head != "rgb"

    def stretch(self, size: tuple[int, int]) -> tuple[int, int]:
        """Frames of this height and width that are restored at a time, and that are seen before and after them."""
        length = max(SHORTEST, min(LONGEST, PIXELS // (size[0] * size[1])))
        return length, MARGIN * self.game.stride

    def restore_clip(
        self,
        frames: np.ndarray,
        mask: np.ndarray,
        state: GameState | None = None,
        *,
        level: str = "full",
        palette: np.ndarray | None = None,
        origin: tuple[int, int] = (0, 0),
        size: tuple[int, int] | None = None,
        frame_numbers: np.ndarray | None = None,
        clip: int | None = None,
        wanted: np.ndarray | None = None,
        progress: Callable[[int], object] | None = None,
        finished: Callable[[Restoration, np.ndarray], object] | None = None,
        amend: Callable[[np.ndarray], GameState] | None = None,
    ) -> Restoration:
        """Fill in the masked pixels.

        The network is shown only those 16x16 columns of a clip that hold no masked pixel at all, so what stands in
        masked pixels cannot reach it; of its drawing only masked pixels are used.

        Args:
            frames: uint8 [T, H, W] palette indices; of a game without a palette, RGB [T, H, W, 3]. Any T >= 1 and size.
            mask: bool [T, H, W], True = missing.
            state: decoded, numpy arrays with leading axis T.
            level: how much of the state is used: "full", "compact" or "none".
            palette: uint8 [K, 3]; the game's own by default. None for true colour.
            origin: (y, x) of the frames' upper left corner inside the game's native picture.
            size: height and width of the native picture, of true colour; by default that of the frames.
            frame_numbers: integer [T]; the network's clips do not cross jumps. Consecutive by default.
            clip: frames that the network sees at once; None = `self.clip`.
            wanted: bool [T], frames to restore; the others only help and come back with their masked pixels cleared.
                None = all.
            progress: called with the number of frames finished after each clip of the network.
            finished: called after each clip with what was made of the frames that it finishes, and their positions
                [n]. What is in them does not depend on which other frames are wanted, as long as all frames of a clip
                that finish together are.
            amend: the state of all frames as it is without what the memory of some, bool [T], left in that of others;
                called where frames are disproved.
        """
        numbers = np.arange(len(frames)) if frame_numbers is None else np.asarray(frame_numbers)
        asked = np.ones(len(frames), bool) if wanted is None else wanted
        if state is None or level == "none":
            state, level = None, "none"
        colours = self.game.palette if palette is None else palette
        hidden = mask if self.game.indexed else mask[..., None]
        cleared = np.where(hidden, np.uint8(0), frames)  # masked pixels are gone before anything else looks at them
        view = View(cleared, mask, self.game, state, level, origin)
        if self.recall and self.atlas is not None:
            view = in_time(view, self.atlas)
        known = self._known(view)
        if amend is not None and known is not None and known.disproved is not None and known.disproved.any():
            view = replace(view, state=amend(known.disproved))
            if self.recall and self.atlas is not None:
                view = in_time(view, self.atlas)
            known = self._known(view)
        if known is not None:
            cleared[known.found] = known.indices[known.found]
            view = replace(view, mask=mask & ~known.found)  # to the network they are visible
        lost = state is None and self.game.indexed and self.atlas is not None and known is not None and not mask.all()
        mean = None  # of what is visible
        if lost:
            often = np.bincount(frames[~mask], minlength=len(colours))
            mean = often @ np.asarray(colours, np.float64) / often.sum()
        untold = untold_text(view)
        if not self.game.indexed:
            result = Restoration(cleared, None, np.ones(mask.shape, np.float32) if self.adaptive else None)
        else:
            sure = None if self.config.head == "rgb" else np.ones(frames.shape, np.float32)
            result = Restoration(colours.take(cleared, axis=0), cleared, sure)
        result.method, result.shown = sources(mask, known)
        result.disproved = None if known is None else known.disproved
        for window in session_windows(numbers, self.game.stride, clip or self.clip):
            owned = window.owned & asked[window.index]
            strange = np.zeros(len(owned), bool) if result.disproved is None else result.disproved[window.index]
            for some, used in ((owned & ~strange, view), (owned & strange, view.at_level("none"))):
                if some.any():
                    self._restore_window(result, used, mask, Window(window.index, some), colours, size)
            made = window.index[owned]
            if known is not None and result.indices is not None:
                add_known(result, known, colours, made)
                if mean is not None:
                    soften(result, known, mask, mean, made)
            if result.confidence is not None:
                marked = result.confidence[made]
                mark_guesses(marked, untold[made])
                result.confidence[made] = marked
            if progress is not None:
                progress(len(made))
            if finished is not None:
                finished(result.of(made), made)
        if known is not None and result.indices is not None:
            dropped = known.found & ~asked[:, None, None]
            result.indices[dropped], result.rgb[dropped] = 0, colours[0]
        return result

    def _known(self, view: View) -> Known | None:
        """Masked pixels that need no network; None where nobody is asked."""
        if not self.recall:
            return None
        if self._locator is None and self.atlas is not None:
            self._locator = Locator(self.atlas, self.game)
        followed = self.game.tile_layers or self.game.sprite_slots  # else nothing tells what stands still
        if view.state is None or not followed or (view.level != "full" and tells_pictures(self.game)):
            known = known_without_state(view.at_level("none"), self._locator)
        else:
            known = known_by_state(view, self._locator)
        fill_blanks(view, known)
        return known

    def _restore_window(
        self,
        result: Restoration,
        view: View,
        mask: np.ndarray,
        window: Window,
        palette: np.ndarray,
        size: tuple[int, int] | None,
    ) -> None:
        """Restore the frames that `window` owns, in place; `mask` bool [T, H, W] tells what was missing at first."""
        hidden = view.mask[window.index]
        wanted = hidden & window.owned[:, None, None]
        if not wanted.any():
            return
        # The frames' own masked pixels are cleared even where an earlier window has filled them in already.
        if result.indices is None:
            frames = np.where(hidden[..., None], np.uint8(0), result.rgb[window.index])
        else:
            frames = np.where(hidden, np.uint8(0), result.indices[window.index])
        height, width = frames.shape[1:3]
        state = None
        if view.state is not None:
            state = view.state.map(lambda a: np.ascontiguousarray(a[window.index]))
        masks = tuple(padded(one, "constant") for one in (hidden, mask[window.index], wanted))
        native = size or (height + view.origin[0], width + view.origin[1])
        made = self.draw(padded(frames, "edge"), masks, palette, state, view, native)
        for k in np.flatnonzero(window.owned):
            t, where = window.index[k], wanted[k]
            take_over(result.rgb[t], made.rgb[k, :height, :width], where)
            if result.confidence is not None and made.confidence is not None:
                take_over(result.confidence[t], made.confidence[k, :height, :width], where)
            if result.indices is None:
                continue
            if made.indices is None or made.confidence is None:
                result.indices[t][where] = nearest_entries(result.rgb[t][where], palette, self.game)
                continue
            take_over(result.indices[t], made.indices[k, :height, :width], where)


def take_over(to: np.ndarray, made: np.ndarray, where: np.ndarray) -> None:
    """Replace the pixels of `to` [H, W] or [H, W, 3] that `where` bool [H, W] names by those of `made`, in place.

    Of colours, to index them by a mask of pixels takes some twenty times as long.
    """
    if to.ndim > where.ndim:
        where = np.repeat(where, to.shape[-1], -1).reshape(to.shape)
    np.copyto(to, made, where=where)


def padded(clip: np.ndarray, mode: Any) -> np.ndarray:
    """[T, H, W] or [T, H, W, 3] -> the next multiples of 16 at the lower and right edge."""
    height, width = clip.shape[1:3]
    sides = ((0, 0), (0, -height % UNIT), (0, -width % UNIT), (0, 0))
    return np.pad(clip, sides[: clip.ndim], mode=mode)
