"""Changes of a clip that leave its picture and its state in step: mirroring, and other colours for the palette.

Pixels are palette indices. A jitter therefore never touches them: it changes which RGB colours they stand for, which a
loss in RGB sees and a loss over indices does not. Mirroring suits games without a direction. In one that runs to the
right, or that shows text, it makes pictures that the game never draws; tile textures are mirrored with it while their
ids stay (see GameSpec.flip), so it is off unless asked for.
"""

from __future__ import annotations

import numpy as np


def flip_origin(origin: tuple[int, int], width: int, crop_width: int) -> tuple[int, int]:
    """y, x of a crop's corner in the mirrored picture."""
    return origin[0], width - crop_width - origin[1]


def jitter_palette(palette: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """The palette in other light: brightness, contrast and each channel's gain change by a factor of 1 +- strength.

    Args:
        palette: uint8 [K, 3].
        strength: 0 .. 1; 0 leaves the colours as they are.
        rng: source of the five numbers that are drawn.
    Returns:
        uint8 [K, 3]; equal colours stay equal.
    """
    brightness, contrast, *gains = (1 + strength * rng.uniform(-1, 1, 5)).tolist()
    colours = palette.astype(np.float64) * gains * brightness
    grey = colours.mean()
    return np.clip(np.rint((colours - grey) * contrast + grey), 0, 255).astype(np.uint8)
