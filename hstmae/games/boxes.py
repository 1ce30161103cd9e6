"""The boxes of what a game draws over its scenery, as keys that decide how each looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .spec import GameSpec
from .state import GameState, ObjectBoxes


def objects(state: GameState, game: GameSpec) -> ObjectBoxes | None:
    """What `compact` tells of a clip's objects; None where the game tells of none."""
    seen = game.drawn_objects(state)
    return None if seen is None else _with_look(seen, state, game.looks.tile_globals)


def sprites(state: GameState, game: GameSpec) -> ObjectBoxes | None:
    """The hardware sprites that level `full` tells of, the foremost one last; None for a game without any.

    Keys are tile, attribute and what `ConsoleLooks.sprite_globals` says of that attribute's palette. Consoles leave out
    what is too much for a line of the picture.
    """
    if not game.sprite_slots:
        return None
    slots = np.asarray(state.sprites).astype(np.int32)[:, ::-1]
    size, height = game.sprite_size, game.native_size[0]
    x, y = slots[..., 0], slots[..., 1]
    used = (y < height) & (x < game.native_size[1])
    behind = (slots[..., 3] & game.looks.behind_bits) > 0
    keys = np.stack([slots[..., 2], slots[..., 3] & ~game.looks.behind_bits], -1)  # they look the same in front
    lines = None
    if game.looks.sprites_per_line:
        rows = np.arange(height + size)
        on = used[..., None] & (rows >= y[..., None]) & (rows < y[..., None] + size)  # [T, N, H]
        before = on[:, ::-1].cumsum(1)[:, ::-1]  # sprites in front, and this one
        own = np.minimum(y, height)[..., None] + np.arange(size)
        lines = np.take_along_axis(before, own, 2) <= game.looks.sprites_per_line
    kinds = game.looks.sprite_globals
    look = np.zeros((*x.shape, max(len(numbers) for numbers in kinds)), np.int32)
    shown = game.shown_globals(state)
    for kind, numbers in enumerate(kinds):
        of_kind = slots[..., 3] % len(kinds) == kind
        look[of_kind, : len(numbers)] = shown[np.nonzero(of_kind)[0]][:, list(numbers)]
    boxes = np.stack([x, y, x + size, y + size], -1)
    return ObjectBoxes(np.ascontiguousarray(np.concatenate([keys, look], -1)), boxes, used, behind, lines)


def glowing(state: GameState, game: GameSpec) -> ObjectBoxes | None:
    """The tiles and characters whose colours change while they stand there; None for a game without any.

    Keys are layer, tile and the phase of the change.
    """
    numbers = [tuple(game.looks.cycling_tiles), tuple(game.looks.cycling_text)]
    parts = []
    for number, (layer, some) in enumerate(zip(game.tile_layers, numbers, strict=False)):
        ids = np.asarray(state.tiles[number]).astype(np.int32)
        if not some:
            continue
        used = np.isin(ids, some).reshape(len(ids), -1)
        most = int(used.sum(1).max(initial=0))  # places in the arrays
        order = np.argsort(~used, 1, kind="stable")[:, :most]
        row, column = order // layer.cols, order % layer.cols
        corner = np.asarray(state.tile_xy[number]).astype(np.int32)
        x, y = corner[:, :1] + column * layer.cell, corner[:, 1:] + row * layer.cell
        tile = np.take_along_axis(ids.reshape(len(ids), -1), order, 1)
        phase = np.asarray(state.glow).astype(np.int32)[:, None]
        keys = np.stack([np.full_like(tile, number), tile, np.broadcast_to(phase, tile.shape)], -1)
        boxes = np.stack([x, y, x + layer.cell, y + layer.cell], -1)
        parts.append((keys, boxes, np.take_along_axis(used, order, 1)))
    if not parts:
        return None
    every = [np.concatenate(arrays, 1) for arrays in zip(*parts, strict=True)]
    return _with_look(ObjectBoxes(every[0], every[1].astype(np.int32), every[2]), state, game.looks.tile_globals)


def _with_look(seen: ObjectBoxes, state: GameState, numbers: tuple[int, ...]) -> ObjectBoxes:
    """Keys that hold some of the state's globals, too."""
    look = np.asarray(state.globals)[:, None, list(numbers)].astype(np.int32)
    keys = np.concatenate([seen.keys, np.broadcast_to(look, (*seen.keys.shape[:2], look.shape[2]))], 2)
    return replace(seen, keys=np.ascontiguousarray(keys))
