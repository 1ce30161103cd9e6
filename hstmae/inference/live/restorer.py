"""Real-time restoration: damaged frames go in one by one, and each comes back restored before the next."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from ...errors import DataError
from ...games import GameSpec
from ...games.palette import pack_rgb, recognise_picture
from ...motion.running import RunningRecall
from ...restoration.clips import STATE_LEVELS
from ...restoration.restorer import Restorer
from ...restoration.threads import threads
from ..loading import load
from .game import LiveGame

MODES = ("psnr", "exact")


class LiveFrame(NamedTuple):
    """One restored frame.

    Attributes:
        picture: as it came, uint8 [H, W] palette entries or [H, W, 3] colours; visible pixels are the input's own.
        confidence: float32 [H, W], the probability that a pixel is right; 1 where it is visible, 0 where nothing is
            known: there the picture is what came in.
    """

    picture: np.ndarray
    confidence: np.ndarray


class LiveRestorer:
    """Restores one stream of frames, each from itself and those before it, in bounded memory.

    A game that a model knows is restored as `Predictor.restore` does it: by what earlier frames have shown of the
    level, by the atlas, and by the network where these know nothing. Anything else is restored by motion recall.

    Args:
        model: a Predictor, or what `load` takes: a bundled name or a path; None = motion recall of true colour.
        state_level: how much of the game's memory is used: "full", "compact" or "none".
        mode: colours that may be any of several: "psnr" gives their mean, "exact" the likeliest one.
        origin: y and x of the frames' corner in the game's native picture.
    Raises:
        DataError: a level or a mode that there is not.
        CheckpointError: no such model, or one without a palette.
    """

    def __init__(
        self,
        model: Restorer | str | Path | None = None,
        *,
        state_level: str = "full",
        mode: str = "psnr",
        origin: tuple[int, int] = (0, 0),
    ) -> None:
        if state_level not in STATE_LEVELS:
            raise DataError(f"state level must be one of {', '.join(STATE_LEVELS)}, got {state_level!r}")
        if mode not in MODES:
            raise DataError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        self._exact = mode == "exact"
        if isinstance(model, str | Path):
            model = load(model)
        self.game: GameSpec | None = None if model is None else model.game
        if model is None:
            self._stream: _Stream = _Anything(self._exact)
        elif model.game.indexed:
            self._stream = _Game(LiveGame(model, state_level, origin), self._exact)
        else:
            raise DataError(f"{model.config.name} restores true colour: give no model, and motion recall does it")
        self._size: tuple[int, ...] | None = None

    def frame(
        self, picture: np.ndarray, missing: np.ndarray, memory: np.ndarray | None = None, *, hurry: bool = False
    ) -> LiveFrame:
        """Restore the next frame.

        Args:
            picture: uint8 [H, W] entries of the game's palette, or [H, W, 3] colours; all of a stream alike.
            missing: bool [H, W], True where a pixel is missing; all of it where the frame is lost.
            memory: uint8 [S], the game's, of this frame, where there is any.
            hurry: other frames wait: of a game that a model knows, network and motion recall are not asked, and what
                nobody knows is drawn smoothly, with confidence 0.
        Raises:
            DataError: what does not fit the game, or the frames before.
        """
        self._check(picture, missing, memory)
        return self._stream.frame(picture, missing, memory, hurry)

    def restart(self) -> None:
        """Forget all frames: what comes is another recording, or of another size."""
        self._stream.restart()
        self._size = None

    def _check(self, picture: np.ndarray, missing: np.ndarray, memory: np.ndarray | None) -> None:
        dims = (2, 3) if self.game is not None else (3,)
        if picture.dtype != np.uint8 or picture.ndim not in dims or picture.shape[2:] not in ((), (3,)):
            kind = "RGB, uint8 [H, W, 3]" + (", or palette entries, uint8 [H, W]" if self.game is not None else "")
            raise DataError(f"a frame must be {kind}, got {picture.dtype} {list(picture.shape)}")
        if not picture.size:
            raise DataError(f"a frame must have pixels, got {list(picture.shape)}")
        if self._size not in (None, picture.shape):
            raise DataError(
                f"frames of one stream must be alike: {list(self._size or ())}, now {list(picture.shape)}; "
                "restart() begins another stream"
            )
        if missing.dtype != np.bool_ or missing.shape != picture.shape[:2]:
            raise DataError(
                f"what is missing must be bool {list(picture.shape[:2])}, got {missing.dtype} {list(missing.shape)}"
            )
        if memory is not None and self.game is not None:
            self.game.check_state(memory[None])
        self._size = picture.shape


class _Stream(Protocol):
    def frame(self, picture: np.ndarray, missing: np.ndarray, memory: np.ndarray | None, hurry: bool) -> LiveFrame: ...

    def restart(self) -> None: ...


class _Game:
    """A palette game's stream, of entries or of colours."""

    def __init__(self, live: LiveGame, exact: bool) -> None:
        self._live, self._exact = live, exact
        self._table: np.ndarray | None = None  # uint8 [K, 3], the game's colours as this stream shows them ...
        self._twin = np.zeros(0, np.uint8)  # ... and of each entry the one of the same colour that software uses

    def frame(self, picture: np.ndarray, missing: np.ndarray, memory: np.ndarray | None, hurry: bool) -> LiveFrame:
        entries = self._entries(picture, missing) if picture.ndim == 3 else picture
        colours, visible = len(self._live.game.palette), ~missing
        if picture.ndim == 2 and visible.any() and (highest := int(picture[visible].max())) >= colours:
            raise DataError(f"a visible pixel has palette entry {highest}; the palette ends at {colours - 1}")
        made = self._live.frame(entries, missing, memory, hurry)
        assert made.indices is not None
        sure = np.ones(missing.shape, np.float32) if made.confidence is None else made.confidence[0]
        if picture.ndim == 2:
            return LiveFrame(made.indices[0], sure)
        restored = picture.copy()
        if missing.any():
            own = self._live.game.palette if self._table is None else self._table
            drawn = own[made.indices[0][missing]]
            if not self._exact:  # the mean colour, moved by how the stream shows the likeliest one
                moved = drawn.astype(np.int16) - self._live.game.palette[made.indices[0][missing]]
                drawn = np.clip(made.rgb[0][missing] + moved, 0, 255).astype(np.uint8)
            restored[missing] = drawn
        return LiveFrame(restored, sure)

    def restart(self) -> None:
        self._live.restart()
        self._table = None

    def _entries(self, picture: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Colours uint8 [H, W, 3] -> palette entries uint8 [H, W], 0 where missing."""
        game, packed = self._live.game, pack_rgb(picture)
        if missing.all():
            return np.zeros(missing.shape, np.uint8)
        if self._table is not None:
            known = pack_rgb(self._table)
            order = np.argsort(known, kind="stable")
            at = order[np.searchsorted(known[order], packed).clip(0, len(order) - 1)]
            if (known[at] == packed)[~missing].all():
                return np.where(missing, np.uint8(0), self._twin[at])
        found, table = recognise_picture(packed[~missing], game, self._table)
        if (found < 0).any():
            value = int(packed[~missing][found < 0][0])
            raise DataError(
                f"a visible pixel has colour #{value:06x}, which {game.name} does not have; footage of anything "
                "else is restored without a model"
            )
        if self._table is None:
            self._table = table
            twins, _ = recognise_picture(pack_rgb(table), game, table)
            self._twin = np.maximum(twins, 0).astype(np.uint8)
        entries = np.zeros(missing.shape, np.uint8)
        entries[~missing] = found
        return entries


class _Anything:
    """True colour of any game, or of none."""

    def __init__(self, exact: bool) -> None:
        self._exact = exact
        self._recall: RunningRecall | None = None

    def frame(self, picture: np.ndarray, missing: np.ndarray, memory: np.ndarray | None, hurry: bool) -> LiveFrame:
        if self._recall is None:
            self._recall = RunningRecall((picture.shape[0], picture.shape[1]), self._exact, threads())
        drawn = self._recall.frame(np.where(missing[..., None], np.uint8(0), picture), missing)
        restored, sure = picture.copy(), (~missing).astype(np.float32)
        if drawn is not None:
            restored.reshape(-1, 3)[drawn.place] = drawn.rgb
            sure.reshape(-1)[drawn.place] = drawn.confidence
        return LiveFrame(restored, sure)

    def restart(self) -> None:
        if self._recall is not None:
            self._recall.close()
        self._recall = None
