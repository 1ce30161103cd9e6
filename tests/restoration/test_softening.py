"""Where nothing of a frame is known, what the network draws of it is brought nearer to the mean of what is visible."""

from __future__ import annotations

import numpy as np

from hstmae.atlas.known_pixels import Known
from hstmae.restoration.mixing import LOST, soften
from hstmae.restoration.result import Restoration


def test_the_less_is_known_the_nearer_to_one_colour() -> None:
    mask = np.ones((3, 2, 4), bool)
    mask[:, 0, 0] = False
    known = Known(np.zeros(mask.shape, np.uint8), np.zeros(mask.shape, np.float32))
    known.trust[1, 1], known.trust[2] = 0.5, 0.99
    rgb = np.full((*mask.shape, 3), 200, np.uint8)
    soften(Restoration(rgb, None, None), known, mask, np.array([0.0, 100.0, 200.0]), np.arange(2))
    drawn = [200 - LOST * 200, 200 - LOST * 100, 200]
    assert rgb[0, 1, 3].tolist() == np.rint(drawn).tolist()
    assert (rgb[0, 0, 0] == 200).all() and (rgb[1, 1] == 200).all() and (rgb[2] == 200).all()  # visible, known, unasked
    assert rgb[1, 0, 1].tolist() == np.rint([200 - LOST * 3 / 7 * 200, 200 - LOST * 3 / 7 * 100, 200]).tolist()
