"""Picture files by their own samples: whatever depth, channels, palette and notes they have, they keep.

A picture is read upright: one that a camera took lying is turned, and the note of how it lay goes, so that it looks the
same. What a file holds that is not kept is said in words.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import png
from .writing import encoded


@dataclass(frozen=True)
class Native:
    """One picture.

    Attributes:
        samples: uint8 or uint16 [H, W, C] of `depth` bits: grey, grey and alpha, RGB, RGBA, or entries of the palette.
        depth: 1, 2, 4, 8 or 16.
        palette: uint8 [N, 4], RGBA; None where the samples are the colours.
        key: the colour, C samples, that is transparent; None where none is.
        form: what it is written as: "PNG", "WEBP", "TIFF" or "BMP".
        beside: what stands beside the picture, as `writing.encoded` takes it.
        lost: what of the file is not kept, and what else than it was it becomes, in words.
    """

    samples: np.ndarray
    depth: int
    palette: np.ndarray | None = None
    key: tuple[int, ...] | None = None
    form: str = "PNG"
    beside: dict[str, Any] = field(default_factory=dict)
    lost: tuple[str, ...] = ()

    @property
    def rgba(self) -> np.ndarray:
        """uint8 [H, W, 4]."""
        if self.palette is not None:
            return self.palette[self.samples[..., 0]]
        most = (1 << self.depth) - 1
        eight = self.samples if self.depth == 8 else (self.samples.astype(np.uint32) * 255 + most // 2) // most
        eight, channels = eight.astype(np.uint8), self.samples.shape[2]
        colours = eight[..., :3] if channels > 2 else np.repeat(eight[..., :1], 3, 2)
        return np.concatenate([colours, self.alpha(eight)[..., None]], 2)

    def alpha(self, eight: np.ndarray) -> np.ndarray:
        if self.key is not None:
            return np.where((self.samples == self.key).all(2), np.uint8(0), np.uint8(255))
        return eight[..., -1] if eight.shape[2] in (2, 4) else np.full(eight.shape[:2], 255, np.uint8)

    def with_colours(self, rgb: np.ndarray, mask: np.ndarray) -> Native:
        """Opaque colours uint8 [H, W, 3] in place of the samples under `mask` bool [H, W]; all others stay as they are.

        A palette that has no room for the colours, and a transparent colour that is one of them, make the picture RGB
        or RGBA.
        """
        colours = rgb[mask]
        if not len(colours):
            return self
        if self.palette is not None:
            return self._with_entries(rgb, mask)
        most, samples = (1 << self.depth) - 1, self.samples.copy()
        if samples.shape[2] < 3:
            colours = (colours.astype(np.uint32) * (19595, 38470, 7471)).sum(1, keepdims=True) + 0x8000 >> 16
        scaled = (colours.astype(np.uint32) * most + 127) // 255
        if self.key is not None and (scaled == self.key).all(1).any():
            return self._with_alpha().with_colours(rgb, mask)
        samples[mask, : scaled.shape[1]] = scaled
        if samples.shape[2] > scaled.shape[1]:
            samples[mask, -1] = most
        return replace(self, samples=samples)

    def _with_alpha(self) -> Native:
        """An alpha channel in place of the transparent colour."""
        samples, depth = self.samples, max(8, self.depth)
        if self.depth < 8:
            samples = (samples.astype(np.uint16) * 255 // ((1 << self.depth) - 1)).astype(np.uint8)
        alpha = np.where((self.samples == self.key).all(2, keepdims=True), 0, (1 << depth) - 1).astype(samples.dtype)
        made = replace(self, samples=np.concatenate([samples, alpha], 2), depth=depth, key=None)
        note = "a transparent colour: written as an alpha channel, since restored pixels have that colour"
        return made._changed(note)

    def with_entries(self, samples: np.ndarray, palette: np.ndarray) -> Native:
        """Other entries uint8 [H, W, 1] of a palette uint8 [N, 4] that begins with this one's, N at most 256."""
        depth = next(d for d in (1, 2, 4, 8) if d >= self.depth and 1 << d >= len(palette))
        made = replace(self, samples=samples, palette=palette, depth=depth)
        return made if self.palette is not None and len(palette) == len(self.palette) else made._changed("", (b"hIST",))

    def _with_entries(self, rgb: np.ndarray, mask: np.ndarray) -> Native:
        assert self.palette is not None
        colours = rgb[mask]
        opaque = np.concatenate([colours, np.full((len(colours), 1), 255, np.uint8)], 1)
        wanted, where = np.unique(opaque.view(np.uint32)[:, 0], return_inverse=True)
        own = np.ascontiguousarray(self.palette).view(np.uint32)[:, 0]
        entries = {int(colour): k for k, colour in reversed(list(enumerate(own)))}
        new = [colour for colour in wanted.tolist() if colour not in entries]
        if len(own) + len(new) > 256:
            return self._without_palette().with_colours(rgb, mask)
        entries.update({colour: len(own) + k for k, colour in enumerate(new)})
        palette = np.concatenate([self.palette, np.array(new, np.uint32).view(np.uint8).reshape(-1, 4)])
        samples = self.samples.copy()
        samples[mask, 0] = np.array([entries[colour] for colour in wanted.tolist()], np.uint8)[where.reshape(-1)]
        return self.with_entries(samples, palette)

    def _without_palette(self) -> Native:
        rgba = self.rgba
        made = replace(self, samples=rgba if (rgba[..., 3] < 255).any() else rgba[..., :3], depth=8, palette=None)
        return made._changed("a palette: written as RGB, since it has no room for the restored colours")

    def _changed(self, note: str, kinds: tuple[bytes, ...] = png.OF_SAMPLES) -> Native:
        """Without what stands beside pictures of other samples only."""
        lost = (*self.lost, note) if note else self.lost
        if "before" not in self.beside:
            return replace(self, lost=lost)
        before = tuple(one for one in self.beside["before"] if one[0] not in kinds)
        return replace(self, lost=lost, beside={**self.beside, "before": before})

    def encoded(self) -> bytes:
        """The bytes of the file."""
        return encoded(self.form, self.samples, self.depth, self.palette, self.key, self.beside)
