"""Restoration of footage by a trained model: `load("hst-mae-nano").restore(frames, mask)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..config import ModelConfig
from ..errors import CheckpointError, DataError
from ..games import GameSpec, get_game
from .reconstruct import Reconstruction, reconstruct
from .windows import Window, session_windows

if TYPE_CHECKING:
    from ..models.mae import HSTMAE

CLIP = 16
UNIT = 16


@dataclass
class Restoration:
    """Restored footage. Visible pixels are the input's own, bit for bit.

    Attributes:
        indices: uint8 [T, H, W] palette entries.
        rgb: uint8 [T, H, W, 3]; masked pixels hold the posterior mean colour, visible ones their palette colour.
        confidence: float32 [T, H, W], probability of the chosen entry; 1 on visible pixels.
    """

    indices: np.ndarray
    rgb: np.ndarray
    confidence: np.ndarray


class Predictor:
    """A model with its game, ready to restore footage of any length and size.

    Attributes:
        model: the network, in eval mode.
        config: its ModelConfig.
        game: the GameSpec it was trained for.
    """

    def __init__(self, model: Any, config: ModelConfig, device: str = "cpu") -> None:
        self.model = model.to(device).eval() if isinstance(model, torch.nn.Module) else model
        self.config = config
        self.game: GameSpec = get_game(config.game)
        self.device = torch.device(device)

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
        progress: Callable[[int], object] | None = None,
    ) -> Restoration:
        """Fill in the masked pixels.

        The model is shown only those 16x16 columns of a clip that hold no masked pixel at all, so what stands in masked
        pixels cannot reach it; of its drawing only masked pixels are used.

        Args:
            frames: uint8 [T, H, W] palette indices, or [H, W] for one picture. Any T >= 1 and any size.
            mask: bool, True = missing, of the shape of `frames` or [H, W] for all of them.
            palette: uint8 [K, 3]; the game's own by default.
            state: uint8 [T, S], the game's memory of each frame, where there is any.
            context: uint8 [T, C], see GameSpec.context; computed from `state` when left out.
            origin: (y, x) of the frames' upper left corner inside the game's native picture.
            level: how much of the state the model is told: "full", "compact" or "none".
            frame_numbers: integer [T]; clips do not cross jumps. Consecutive by default.
            progress: called with the number of frames finished after each clip.
        Raises:
            DataError: frames, mask, palette or state do not fit each other or the game.
        """
        if frames.ndim == 2:
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
        cleared = np.where(mask, np.uint8(0), frames)  # masked pixels are gone before anything else looks at them
        result = Restoration(cleared, colours[cleared], np.ones(frames.shape, np.float32))
        for window in session_windows(numbers, self.game.stride, CLIP):
            self._restore_window(result, mask, colours, window, state, context, origin, level)
            if progress is not None:
                progress(int(window.owned.sum()))
        return result

    def _check(self, frames: np.ndarray, mask: np.ndarray, palette: np.ndarray, state: np.ndarray | None) -> np.ndarray:
        """Validate the arguments and return the mask as bool [T, H, W]."""
        if frames.ndim != 3 or frames.dtype != np.uint8 or frames.size == 0:
            raise DataError(
                f"frames must be palette indices, uint8 [T, H, W], got {frames.dtype} {list(frames.shape)}; "
                "this model restores palette footage only"
            )
        if mask.dtype != np.bool_ or mask.shape not in (frames.shape, frames.shape[1:]):
            raise DataError(f"mask must be bool {list(frames.shape)} or one picture of it, got {list(mask.shape)}")
        if palette.dtype != np.uint8 or palette.shape != self.game.palette.shape:
            raise DataError(
                f"palette must be uint8 {list(self.game.palette.shape)} for {self.game.name}, got {list(palette.shape)}"
            )
        if state is not None and len(state) != len(frames):
            raise DataError(f"{len(frames)} frames need as many states, got {len(state)}")
        mask = np.broadcast_to(mask, frames.shape)
        shown = frames[~mask]
        if len(shown) and int(shown.max()) >= len(palette):
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
        frames = np.where(hidden, np.uint8(0), result.indices[window.index])
        height, width = frames.shape[1:]
        frames, hidden, drawn = _pad(frames, "edge"), _pad(hidden, "constant"), _pad(wanted, "constant")
        visible, _ = visible_from_pixels(torch.from_numpy(hidden))
        _, queries = visible_from_pixels(torch.from_numpy(drawn))
        decoded = None
        if state is not None:
            some = self.game.decode(state[window.index], None if context is None else context[window.index])
            decoded = some.map(lambda a: torch.from_numpy(np.ascontiguousarray(a))[None].to(self.device))
        made: Reconstruction = reconstruct(
            self.model,
            torch.from_numpy(frames)[None].to(self.device),
            visible[None].to(self.device),
            queries[None].to(self.device),
            torch.tensor(palette, device=self.device),
            state=decoded,
            level=level,
            origin=torch.tensor([origin], device=self.device),
        )
        for k in np.flatnonzero(window.owned):
            t, where = window.index[k], wanted[k]
            result.indices[t][where] = made.indices[0, k, :height, :width][where]
            result.rgb[t][where] = made.rgb[0, k, :height, :width][where]
            result.confidence[t][where] = made.confidence[0, k, :height, :width][where]


def _pad(clip: np.ndarray, mode: Any) -> np.ndarray:
    """[T, H, W] -> the next multiples of 16 at the lower and right edge; one frame becomes two."""
    _, height, width = clip.shape
    return np.pad(clip, ((0, 0), (0, -height % UNIT), (0, -width % UNIT)), mode=mode)


def load(name: str | Path, device: str = "auto") -> Predictor:
    """Load a model for restoration.

    Args:
        name: a bundled name, a model folder, a run folder or a training checkpoint (.pth).
        device: "auto", "cpu" or "cuda".
    Raises:
        CheckpointError: missing, damaged or not a model of this program.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    path = Path(name)
    if path.is_dir() and not (path / "config.json").exists():  # a training run
        path = next((path / file for file in ("best.pth", "last.pth") if (path / file).is_file()), path)
    model = _from_training(path) if path.is_file() else _from_folder(name)
    return Predictor(model, model.config, device)


def _from_folder(name: str | Path) -> HSTMAE:
    from ..models.zoo import load_pretrained

    return load_pretrained(name)


def _from_training(path: Path) -> HSTMAE:
    from ..config import from_dict
    from ..models.zoo import build_model
    from ..training.checkpoint import load_checkpoint

    payload = load_checkpoint(path)
    try:
        config = from_dict(ModelConfig, payload["config"]["model"], str(path))
        model = build_model(config)
        model.load_state_dict(payload["ema"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: does not hold a model of this program ({error})") from error
    return model
