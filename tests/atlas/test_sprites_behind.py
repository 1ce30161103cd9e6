"""Sprites behind the background hide others that are behind them, though they are not seen there themselves."""

from __future__ import annotations

import numpy as np

from hstmae.atlas.objects import ObjectLooks
from hstmae.games import get_game
from hstmae.games.state import ObjectBoxes

PALETTE = get_game("smb").palette
SKY, PIPE, PLANT, BULLET = 1, 2, 3, 4


def looks() -> ObjectLooks:
    """Two kinds of one colour each, seen a hundred times; the plant's left half is transparent."""
    clear = np.zeros((2, 8, 8), np.uint8)
    clear[0, :, :4] = 255
    entry = np.repeat(np.array([PLANT, BULLET], np.uint8), 64).reshape(2, 8, 8)
    keys, size = np.array([[0], [1]], np.int32), np.full((2, 2), 8, np.uint8)
    return ObjectLooks(keys, size, np.full(2, 100, np.int32), clear, entry, 255 - clear, PALETTE[entry])


def drawn(plant: int) -> tuple[np.ndarray, np.ndarray]:
    """A bullet and, in front of it, what is `plant`, behind a pipe of which the lower half shows the sky."""
    behind = np.full((1, 8, 8), PIPE, np.uint8)
    behind[:, 4:] = SKY
    boxes = np.broadcast_to(np.array([0, 0, 8, 8], np.int32), (1, 2, 4))
    seen = ObjectBoxes(np.array([[[1], [plant]]], np.int32), boxes, np.ones((1, 2), bool), np.array([[False, True]]))
    backdrop = np.full(1, SKY, np.int16)
    entries, trust, _ = looks().paint(
        seen, behind, np.ones(behind.shape, bool), PALETTE, backdrop=backdrop, means=False
    )
    return entries[0], trust[0]


def test_where_the_background_hides_the_foremost_it_hides_all() -> None:
    entries, trust = drawn(0)
    assert (entries[:, :4] == BULLET).all()  # the plant is transparent
    assert (entries[:4, 4:] == PIPE).all() and (entries[4:, 4:] == PLANT).all()
    assert (trust > 0.97).all()


def test_what_is_not_known_may_hide_others() -> None:
    assert not drawn(5)[1].any()
