"""What is known and what the network drew, put together: hints and means have their share, what is found stays."""

from __future__ import annotations

import numpy as np

from hstmae.atlas.known_pixels import Known
from hstmae.restoration.mixing import mix
from hstmae.restoration.result import Restoration


def test_hints_have_their_share_of_the_picture() -> None:
    palette = np.array([[0, 0, 0], [200, 100, 50]], np.uint8)
    drawn = Restoration(
        np.zeros((1, 1, 4, 3), np.uint8), np.zeros((1, 1, 4), np.uint8), np.full((1, 1, 4), 0.4, np.float32)
    )
    known = Known(np.ones((1, 1, 4), np.uint8), np.array([[[0.0, 0.4, 0.75, 0.99]]], np.float32))
    mix(drawn, known, palette)
    assert drawn.rgb[0, 0].tolist() == [[0, 0, 0], [170, 85, 42], [170, 85, 42], [0, 0, 0]]  # found ones are not hints
    assert drawn.indices is not None and drawn.indices[0, 0].tolist() == [0, 1, 1, 0]
    assert drawn.confidence is not None and np.allclose(drawn.confidence[0, 0], [0.4, 0.4, 0.75, 0.4])


def test_means_have_their_share_of_the_picture() -> None:
    palette = np.array([[0, 0, 0], [200, 100, 50]], np.uint8)
    blank = np.zeros((1, 1, 4), np.uint8)
    drawn = Restoration(np.zeros((1, 1, 4, 3), np.uint8), blank.copy(), np.full((1, 1, 4), 0.4, np.float32))
    share = np.array([[[0, 0.7, 1, 1]]], np.float32)
    trust = np.array([[[0, 0.6, 0.3, 0.99]]], np.float32)
    mix(drawn, Known(blank + 1, trust, np.full((1, 1, 4, 3), 100, np.uint8), share), palette)
    assert drawn.rgb[0, 0, :, 0].tolist() == [0, 70, 100, 0]  # found ones need no mean
    assert drawn.indices is not None and drawn.indices[0, 0].tolist() == [0, 1, 0, 0]
