"""Restoration of footage, given with the game's memory: arguments checked, memory decoded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial

import numpy as np

from ..errors import DataError
from ..games import GameState
from ..notebook import Row, card
from ..restoration.clips import ClipRestorer
from ..restoration.result import Restoration
from .arguments import array_of, check_level, check_state, check_times


class FootageRestorer(ClipRestorer):
    """Restores footage of any length and size; its network is a subclass's affair, and PyTorch not needed here."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of configuration, weights and atlas: equal for models that restore alike."""

    def _repr_html_(self) -> str:
        maps = None if self.atlas is None else f"{len(self.atlas.maps)} maps"
        rows: list[Row] = [
            ("game", self.game.name),
            ("head", self.config.head),
            *self._rows(),
            ("atlas", maps or "none"),
            ("recall", "on" if self.recall else "off"),
        ]
        return card(f"{type(self).__name__} {self.config.name}", rows)

    def _rows(self) -> list[Row]:
        """What a notebook shows of the network."""
        return []

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
        finished: Callable[[Restoration, np.ndarray], object] | None = None,
    ) -> Restoration:
        """Fill in the masked pixels, see `Restorer.restore_clip`.

        Args:
            frames: uint8 [T, H, W] palette indices, or [H, W] for one picture; of a game without a palette, RGB
                [T, H, W, 3] or [H, W, 3]. Any T >= 1 and any size.
            mask: bool, True = missing, [T, H, W] or [H, W] for all frames.
            palette: uint8 [K, 3]; the game's own by default. None for true colour.
            state: uint8 [T, S], the game's memory of each frame, where there is any.
            context: uint8 [T, C], see GameSpec.context; computed from `state` when left out.
            origin, level, frame_numbers, wanted, progress, finished: as `restore_clip`.
        Raises:
            DataError: frames, mask, palette, state or context do not fit each other or the game.
        """
        check_level(level, origin)
        frames, mask = array_of("frames", frames), array_of("mask", mask)
        palette, state, context, wanted = (
            None if value is None else array_of(name, value)
            for name, value in (("palette", palette), ("state", state), ("context", context), ("wanted", wanted))
        )
        if frames.ndim == (2 if self.game.indexed or frames.shape[-1] != 3 else 3):
            frames = frames[None]
        colours = self.game.palette if palette is None else palette
        mask = self._check(frames, mask, colours, state, context)
        numbers = np.arange(len(frames)) if frame_numbers is None else array_of("frame numbers", frame_numbers)
        check_times(len(frames), numbers, wanted)
        decoded = amend = None
        if state is not None and level != "none":
            if context is None and self.game.context_size:
                context = self.game.context(state, numbers)
            decoded = self.game.decode(state, context)
            if context is not None and self.game.context_size:
                amend = partial(self._without, state, context, numbers)
        return self.restore_clip(
            frames, mask, decoded, level=level, palette=colours, origin=origin, frame_numbers=numbers, wanted=wanted,
            progress=progress, finished=finished, amend=amend,
        )  # fmt: skip

    def _without(self, state: np.ndarray, context: np.ndarray, numbers: np.ndarray, strange: np.ndarray) -> GameState:
        """The decoded memory where frames that are strange, bool [T], leave nothing in the context of those after
        them, as if the frame before had lasted."""
        kept, carried = state.copy(), context.copy()
        for t in range(1, len(state)):
            if numbers[t] - numbers[t - 1] != 1:
                continue  # a recording that goes on later: its context is as good as it was
            if strange[t]:
                kept[t] = kept[t - 1]
            carried[t] = self.game.carry(carried[t - 1], kept[t - 1 : t + 1])
        return self.game.decode(state, carried)

    def _check(
        self,
        frames: np.ndarray,
        mask: np.ndarray,
        palette: np.ndarray,
        state: np.ndarray | None,
        context: np.ndarray | None,
    ) -> np.ndarray:
        """Validate the arguments and return the mask as bool [T, H, W]."""
        dims = 3 if self.game.indexed else 4
        if frames.ndim != dims or frames.dtype != np.uint8 or frames.size == 0 or frames.shape[3:] not in ((), (3,)):
            kind = "palette indices, uint8 [T, H, W]" if self.game.indexed else "RGB, uint8 [T, H, W, 3]"
            footage = "palette" if self.game.indexed else "true-colour"
            raise DataError(
                f"frames must be {kind}, got {frames.dtype} {list(frames.shape)}; this model restores {footage} "
                "footage only"
            )
        shape = frames.shape[:3]
        if mask.dtype != np.bool_ or mask.shape not in (shape, shape[1:]):
            raise DataError(
                f"mask must be bool {list(shape)} or one picture of it, got {mask.dtype} {list(mask.shape)}"
                + ("" if mask.dtype == np.bool_ else "; say what is missing, as in mask > 0")
            )
        if palette.dtype != np.uint8 or palette.shape != self.game.palette.shape:
            raise DataError(
                f"palette must be uint8 {list(self.game.palette.shape)} for {self.game.name}, got {list(palette.shape)}"
            )
        check_state(self.game, len(frames), state, context)
        mask = np.broadcast_to(mask, shape)
        shown = frames[~mask]
        if self.game.indexed and len(shown) and int(shown.max()) >= len(palette):
            raise DataError(
                f"a visible pixel has palette index {int(shown.max())}; the palette ends at {len(palette) - 1}"
            )
        return mask
