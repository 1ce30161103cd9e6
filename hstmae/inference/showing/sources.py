"""Where the colour of a pixel comes from, in words and colours for people."""

from __future__ import annotations

import numpy as np

from ...drawing.panels import show_confidence, show_labels
from ...restoration.result import INPUT, METHODS
from ..sinks import RestoredFrame

# Colours of Okabe and Ito, told apart by colour-blind eyes too, and two more.
WORDS: dict[str, tuple[tuple[int, int, int], str]] = {
    "still": ((86, 180, 233), "another frame, same place"),
    "moved": ((0, 114, 178), "another frame, moved with the picture"),
    "object": ((0, 158, 115), "another frame, moved with what is around"),
    "usual": ((240, 228, 66), "what is usually there"),
    "recall": ((204, 121, 167), "another frame, by the game's state"),
    "surroundings": ((230, 159, 0), "drawn from the surroundings"),
    "atlas": ((176, 150, 255), "the game's maps (atlas)"),
    "network": ((213, 94, 0), "drawn by the network"),
}
COLOURS = np.array([(0, 0, 0), *(WORDS[name][0] for name in METHODS[1:])], np.uint8)
UNSEEN = np.array([(0, 0, 0), (230, 60, 60)], np.uint8)


def method_panel(frame: RestoredFrame) -> np.ndarray:
    """uint8 [H, W, 3]: each restored pixel in the colour of where it comes from."""
    assert frame.method is not None
    return show_labels(frame.restored, np.where(frame.mask, frame.method, INPUT), COLOURS)


def unseen_panel(frame: RestoredFrame) -> np.ndarray:
    """uint8 [H, W, 3]: what no frame shows, in red."""
    assert frame.shown is not None
    return show_labels(frame.restored, (frame.mask & ~frame.shown).astype(np.uint8), UNSEEN)


def confidence_panel(frame: RestoredFrame) -> np.ndarray:
    """uint8 [H, W, 3]: white is certain, black a guess."""
    assert frame.confidence is not None
    return show_confidence(np.where(frame.mask, frame.confidence, 1))
