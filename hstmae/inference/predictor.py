"""Restoration of footage by a trained model: `load("hst-mae-nano").restore(frames, mask)`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..atlas.known_pixels import Known, known_pixels
from ..atlas.locate import Locator
from ..atlas.maps import Atlas
from ..config import ModelConfig
from ..errors import DataError
from ..games import GameSpec, GameState, get_game
from .colour_readout import nearest_entries, reconstruct_colours
from .reconstruct import reconstruct
from .windows import Window, session_windows

if TYPE_CHECKING:
    from ..models.fast.head import FastHead

CLIP = 16
HINT = 0.85  # share of a hint's colour in what the network draws; more if it is trusted more
UNIT = 16


@dataclass
class Restoration:
    """Restored footage. Visible pixels are the input's own, bit for bit.

    Attributes:
        rgb: uint8 [T, H, W, 3]; masked pixels hold the posterior mean colour, or what a model with head "rgb" answers,
            visible ones their own colour.
        indices: uint8 [T, H, W] palette entries (of head "rgb": those nearest to its colours); None for true colour.
        confidence: float32 [T, H, W], probability of the chosen entry; 1 on visible pixels. None for head "rgb", which
            answers with one colour and no probability.
    """

    rgb: np.ndarray
    indices: np.ndarray | None
    confidence: np.ndarray | None


class Predictor:
    """A model with its game, ready to restore footage of any length and size.

    Attributes:
        model: the network, in eval mode.
        config: its ModelConfig.
        game: the GameSpec it was trained for.
        true_colour: whether frames are RGB: the game has no palette.
        recall: whether pixels are looked up in other frames and in the atlas before the network draws the rest (see
            `known.known_pixels`).
        atlas: the game's maps, None without any.
    """

    def __init__(
        self, model: Any, config: ModelConfig, device: str = "cpu", *, recall: bool = True, atlas: Atlas | None = None
    ) -> None:
        self.model = model.to(device).eval() if isinstance(model, torch.nn.Module) else model
        self.config = config
        self.game: GameSpec = get_game(config.game)
        self.true_colour = not len(self.game.palette)
        self.recall = recall and not self.true_colour
        self.atlas = atlas
        self.device = torch.device(device)
        self._head: FastHead | None = None
        self._locator: Locator | None = None

    def _fast_head(self) -> FastHead | None:
        """Made when first needed: it multiplies tables of the model's weights, which stay as they are from then on."""
        if self._head is None and isinstance(self.model, torch.nn.Module):
            from ..models.fast.head import FastHead

            self._head = FastHead.of(self.model)
        return self._head

    def fingerprint(self) -> str:
        """A hash of configuration, weights and atlas: equal for models that restore alike."""
        digest = hashlib.sha256(repr(self.config).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode() + tensor.detach().float().cpu().contiguous().numpy().tobytes())
        if self.atlas is not None and self.recall:
            for name, array in self.atlas.arrays().items():
                digest.update(name.encode() + array.tobytes())
        return digest.hexdigest()

    def restore(
        self,
        frames: np.ndarray,
        mask: np.ndarray,
        palette: np.ndarray | None = None,
        state: np.ndarray | None = None,
        context: np.ndarray | None = None,
        origin: tuple[int, int] = (0, 0),
        *,
        level: str = "full",
        frame_numbers: np.ndarray | None = None,
        wanted: np.ndarray | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> Restoration:
        """Fill in the masked pixels.

        The model is shown only those 16x16 columns of a clip that hold no masked pixel at all, so what stands in masked
        pixels cannot reach it; of its drawing only masked pixels are used.

        Args:
            frames: uint8 [T, H, W] palette indices, or [H, W] for one picture; of a game without a palette, RGB
                [T, H, W, 3] or [H, W, 3]. Any T >= 1 and any size.
            mask: bool, True = missing, [T, H, W] or [H, W] for all frames.
            palette: uint8 [K, 3]; the game's own by default. None for true colour.
            state: uint8 [T, S], the game's memory of each frame, where there is any.
            context: uint8 [T, C], see GameSpec.context; computed from `state` when left out.
            origin: (y, x) of the frames' upper left corner inside the game's native picture.
            level: how much of the state the model is told: "full", "compact" or "none".
            frame_numbers: integer [T]; clips do not cross jumps. Consecutive by default.
            wanted: bool [T], frames to restore; the others only help and come back with their masked pixels cleared.
                None = all.
            progress: called with the number of frames finished after each clip.
        Raises:
            DataError: frames, mask, palette or state do not fit each other or the game.
        """
        if frames.ndim == (3 if self.true_colour and frames.shape[-1] == 3 else 2):
            frames = frames[None]
        colours = self.game.palette if palette is None else palette
        mask = self._check(frames, mask, colours, state)
        numbers = np.arange(len(frames)) if frame_numbers is None else np.asarray(frame_numbers)
        if len(numbers) != len(frames):
            raise DataError(f"{len(frames)} frames need as many frame numbers, got {len(numbers)}")
        if state is None or level == "none":
            state = context = None
        elif context is None and self.game.context_size:
            context = self.game.context(state, numbers)
        hidden = mask[..., None] if self.true_colour else mask
        cleared = np.where(hidden, np.uint8(0), frames)  # masked pixels are gone before anything else looks at them
        asked = np.ones(len(frames), bool) if wanted is None else wanted
        told = self.game.decode(state, context) if state is not None and self.recall else None
        known = self.known(cleared, mask, told, level, origin)
        if known is not None:
            cleared[known.found] = known.indices[known.found]
            mask = mask & ~known.found  # to the network they are visible
        if self.true_colour:
            result = Restoration(cleared, None, None)
        else:
            sure = None if self.config.head == "rgb" else np.ones(frames.shape, np.float32)
            result = Restoration(colours[cleared], cleared, sure)
        for window in session_windows(numbers, self.game.stride, CLIP):
            owned = window.owned & asked[window.index]
            self._restore_window(result, mask, colours, Window(window.index, owned), state, context, origin, level)
            if progress is not None:
                progress(int(owned.sum()))
        if known is not None and result.indices is not None:
            mix(result, known, colours, asked)
            if result.confidence is not None:
                result.confidence[known.found] = known.trust[known.found]
            known.trust[asked] = 0  # of frames that were not asked for, masked pixels come back cleared
            result.indices[known.found], result.rgb[known.found] = 0, colours[0]
        return result

    def known(
        self, frames: np.ndarray, mask: np.ndarray, state: GameState | None, level: str, origin: tuple[int, int]
    ) -> Known | None:
        """Masked pixels of consecutive frames [T, H, W] that need no network; None where there is nothing to ask."""
        if not self.recall or (state is None and self.atlas is None):
            return None
        if self._locator is None and self.atlas is not None:
            self._locator = Locator(self.atlas, self.game)
        told = "none" if state is None else level
        return known_pixels(frames, mask, self.game, told, state, self._locator, origin)

    def _check(self, frames: np.ndarray, mask: np.ndarray, palette: np.ndarray, state: np.ndarray | None) -> np.ndarray:
        """Validate the arguments and return the mask as bool [T, H, W]."""
        dims = 4 if self.true_colour else 3
        if frames.ndim != dims or frames.dtype != np.uint8 or frames.size == 0 or frames.shape[3:] not in ((), (3,)):
            kind = "RGB, uint8 [T, H, W, 3]" if self.true_colour else "palette indices, uint8 [T, H, W]"
            footage = "true-colour" if self.true_colour else "palette"
            raise DataError(
                f"frames must be {kind}, got {frames.dtype} {list(frames.shape)}; this model restores {footage} "
                "footage only"
            )
        shape = frames.shape[:3]
        if mask.dtype != np.bool_ or mask.shape not in (shape, shape[1:]):
            raise DataError(f"mask must be bool {list(shape)} or one picture of it, got {list(mask.shape)}")
        if palette.dtype != np.uint8 or palette.shape != self.game.palette.shape:
            raise DataError(
                f"palette must be uint8 {list(self.game.palette.shape)} for {self.game.name}, got {list(palette.shape)}"
            )
        if state is not None and len(state) != len(frames):
            raise DataError(f"{len(frames)} frames need as many states, got {len(state)}")
        mask = np.broadcast_to(mask, shape)
        shown = frames[~mask]
        if not self.true_colour and len(shown) and int(shown.max()) >= len(palette):
            raise DataError(
                f"a visible pixel has palette index {int(shown.max())}; the palette ends at {len(palette) - 1}"
            )
        return mask

    def _restore_window(
        self,
        result: Restoration,
        mask: np.ndarray,
        palette: np.ndarray,
        window: Window,
        state: np.ndarray | None,
        context: np.ndarray | None,
        origin: tuple[int, int],
        level: str,
    ) -> None:
        """Restore the frames that `window` owns, in place."""
        from ..models.masking import visible_from_pixels

        hidden = mask[window.index]
        wanted = hidden & window.owned[:, None, None]
        if not wanted.any():
            return
        # The frames' own masked pixels are cleared even where an earlier window has filled them in already.
        if result.indices is None:
            frames = np.where(hidden[..., None], np.uint8(0), result.rgb[window.index])
        else:
            frames = np.where(hidden, np.uint8(0), result.indices[window.index])
        height, width = frames.shape[1:3]
        frames, hidden, drawn = _pad(frames, "edge"), _pad(hidden, "constant"), _pad(wanted, "constant")
        visible, _ = visible_from_pixels(torch.from_numpy(hidden))
        _, queries = visible_from_pixels(torch.from_numpy(drawn))
        decoded = None
        if state is not None:
            some = self.game.decode(state[window.index], None if context is None else context[window.index])
            decoded = some.map(lambda a: torch.from_numpy(np.ascontiguousarray(a))[None].to(self.device))
        made = self._draw(frames, visible, queries, palette, decoded, level, origin, (height, width))
        for k in np.flatnonzero(window.owned):
            t, where = window.index[k], wanted[k]
            result.rgb[t][where] = made.rgb[k, :height, :width][where]
            if result.indices is None:
                continue
            if made.indices is None:
                result.indices[t][where] = nearest_entries(result.rgb[t][where], palette, self.game.name)
                continue
            assert made.confidence is not None and result.confidence is not None
            result.indices[t][where] = made.indices[k, :height, :width][where]
            result.confidence[t][where] = made.confidence[k, :height, :width][where]

    def _draw(
        self,
        frames: np.ndarray,
        visible: torch.Tensor,
        queries: torch.Tensor,
        palette: np.ndarray,
        state: GameState | None,
        level: str,
        origin: tuple[int, int],
        size: tuple[int, int],
    ) -> Restoration:
        """Run the network on one padded clip; `size` is that of its pictures before padding."""
        clip, seen, asked = (x[None].to(self.device) for x in (torch.from_numpy(frames), visible, queries))
        corner = torch.tensor([origin], device=self.device)
        if self.config.head != "rgb":
            colours = torch.tensor(palette, device=self.device)
            made = reconstruct(
                self.model, clip, seen, asked, colours, state=state, level=level, origin=corner, head=self._fast_head()
            )
            return Restoration(made.rgb[0], made.indices[0], made.confidence[0])
        rgb = reconstruct_colours(
            self.model,
            clip,
            seen,
            asked,
            None if self.true_colour else torch.tensor(palette[None], device=self.device),
            state=state,
            level=level,
            origin=corner,
            size=torch.tensor([size], device=self.device) + corner if self.true_colour else None,
        )
        return Restoration(rgb[0], None, None)


def mix(result: Restoration, known: Known, palette: np.ndarray, asked: np.ndarray | None = None) -> None:
    """Let hints have their share of what the network drew, in place; `asked` bool [T], frames that are wanted."""
    if result.indices is None:
        return
    wanted = True if asked is None else asked[:, None, None]
    if known.mean is not None and known.share is not None:
        where = (known.share > 0) & ~known.found & wanted
        share = known.share[where][:, None]
        both = share * known.mean[where] + (1 - share) * result.rgb[where]
        result.rgb[where] = np.rint(both).astype(np.uint8)
        likely = known.trust[where] > 0.5
        result.indices[where] = np.where(likely, known.indices[where], result.indices[where])
        if result.confidence is not None:
            result.confidence[where] = np.where(likely, known.trust[where], result.confidence[where])
        known.trust[where] = 0
    where = known.hint & wanted
    trust, entry = known.trust[where], known.indices[where]
    share = np.maximum(trust, HINT)[:, None]
    result.rgb[where] = np.rint(share * palette[entry] + (1 - share) * result.rgb[where]).astype(np.uint8)
    if result.confidence is not None:
        result.confidence[where] = np.where(
            result.indices[where] == entry, np.maximum(result.confidence[where], trust), trust
        )
    result.indices[where] = entry


def _pad(clip: np.ndarray, mode: Any) -> np.ndarray:
    """[T, H, W] or [T, H, W, 3] -> the next multiples of 16 at the lower and right edge."""
    height, width = clip.shape[1:3]
    sides = ((0, 0), (0, -height % UNIT), (0, -width % UNIT), (0, 0))
    return np.pad(clip, sides[: clip.ndim], mode=mode)
