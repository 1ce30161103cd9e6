"""Drawing what the game's memory says over its pictures: regions, tiles, sprites, objects and texts.

Pictures are uint8 RGB [H, W, 3]; enlarged ones [H * scale, W * scale, 3].
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..games import GameSpec, GameState, StateField

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

# Okabe and Ito's colours, told apart by colour-blind eyes too; region 0 ("unknown") is never tinted.
REGION_COLOURS = ((0, 0, 0), (86, 180, 233), (0, 114, 178), (230, 159, 0), (240, 228, 66), (0, 158, 115), (213, 94, 0),
                  (204, 121, 167))  # fmt: skip
SPRITE_COLOUR = (255, 0, 200)
TILE_COLOUR = (255, 255, 255)
TEXT_COLOUR = (255, 240, 120)
_TINT = 0.45
_FAINT = 0.2  # tint of what fills most of the picture
_COMMON = 0.5  # share of the picture from which a region gets the faint tint


@lru_cache(maxsize=8)
def font(size: int) -> FreeTypeFont | ImageFont:
    """Pillow's own typeface, `size` pixels high."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def region_colour(region: int) -> tuple[int, int, int]:
    return REGION_COLOURS[1 + (region - 1) % (len(REGION_COLOURS) - 1)] if region else REGION_COLOURS[0]


def enlarged(picture: np.ndarray, scale: int) -> np.ndarray:
    return picture.repeat(scale, 0).repeat(scale, 1)


def draw_regions(picture: np.ndarray, regions: np.ndarray, scale: int) -> np.ndarray:
    """The picture tinted by region, borders drawn.

    Args:
        picture: uint8 [H, W, 3].
        regions: uint8 [H, W] region of each pixel.
    Returns:
        uint8 [H * scale, W * scale, 3].
    """
    share = np.bincount(regions.ravel(), minlength=256) / regions.size
    colours = np.array([region_colour(k) for k in range(256)], np.float32)
    strength = np.where(share > _COMMON, _FAINT, _TINT).astype(np.float32)
    strength[0] = 0
    alpha = strength[regions][..., None]
    tinted = enlarged((picture * (1 - alpha) + colours[regions] * alpha).astype(np.uint8), scale)
    fine = enlarged(regions, scale)
    border = np.zeros(fine.shape, bool)
    border[:, 1:] |= fine[:, 1:] != fine[:, :-1]
    border[1:] |= fine[1:] != fine[:-1]
    tinted[border] = colours[fine[border]].astype(np.uint8)
    return tinted


def draw_state(large: np.ndarray, game: GameSpec, state: GameState, t: int, scale: int) -> np.ndarray:
    """The picture with the decoded state of frame `t`: tiles, texts, hardware sprites and labelled boxes.

    Args:
        large: uint8 [H * scale, W * scale, 3], a picture of native size H x W enlarged by `scale`.
        state: numpy arrays, leading axis T.
    Returns:
        uint8 [H * scale, W * scale, 3].
    """
    from PIL import Image, ImageDraw

    height, width = large.shape[0] // scale, large.shape[1] // scale
    image = Image.fromarray(large)
    draw: Any = ImageDraw.Draw(image, "RGBA")
    for layer, ids, xy in zip(game.tile_layers, state.tiles, state.tile_xy, strict=True):
        left, top = int(xy[t, 0]), int(xy[t, 1])
        for row, col in np.argwhere((ids[t] > 0) & (ids[t] < layer.ids - 1)).tolist():
            x, y = (left + col * layer.cell) * scale, (top + row * layer.cell) * scale
            number = int(ids[t, row, col])
            if number <= len(layer.text):
                _character(draw, x, y, layer.cell * scale, layer.text[number - 1])
            elif not layer.text:  # fixed cells of a text layer would only fill it with lines
                end = layer.cell * scale - 1
                draw.rectangle((x, y, x + end, y + end), outline=(*TILE_COLOUR, 110))
    size = game.sprite_size * scale - 1
    for x, y in state.sprites[t, :, :2].tolist():
        if -game.sprite_size < x < width and -game.sprite_size < y < height:
            draw.rectangle(
                (x * scale, y * scale, x * scale + size, y * scale + size), outline=(*SPRITE_COLOUR, 210)
            )  # fmt: skip
    for region, x0, y0, x1, y1 in state.boxes[t].tolist():
        if region and x1 > 0 and y1 > 0 and x0 < width and y0 < height:
            _box(draw, (x0 * scale, y0 * scale, x1 * scale - 1, y1 * scale - 1), region, game.regions[region])
    return np.asarray(image)


def _character(draw: ImageDraw, x: int, y: int, size: int, character: str) -> None:
    draw.rectangle((x, y, x + size - 1, y + size - 1), fill=(0, 0, 0, 200))
    draw.text((x + size / 2, y + size / 2), character, fill=TEXT_COLOUR, font=font(size), anchor="mm")


def _box(draw: ImageDraw, corners: tuple[int, int, int, int], region: int, name: str) -> None:
    x0, y0, x1, y1 = corners
    colour = region_colour(region)
    draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=(0, 0, 0, 200))
    draw.rectangle(corners, outline=colour, width=2)
    label = font(11)
    width = round(label.getlength(name)) + 6
    bottom = y0 - 2 if y0 >= 16 else y1 + 16
    draw.rectangle((x0, bottom - 13, x0 + width, bottom), fill=(*colour, 235))
    dark = sum(colour) > 330
    draw.text((x0 + 3, bottom - 7), name, fill=(0, 0, 0) if dark else (255, 255, 255), font=label, anchor="lm")


def readings(fields: tuple[StateField, ...], memory: np.ndarray) -> str:
    """Numbers that a game keeps as decimal digits, e.g. "score 000200  coins 07  timer 341".

    Args:
        memory: uint8 [S] of one frame; work RAM addresses count from 0.
    """
    found = []
    for item in fields:
        if item.unit == "decimal digit":
            digits = memory[item.address : item.address + item.count].tolist()
            found.append(f"{item.name} {''.join(str(d) if d < 10 else '?' for d in digits)}")
    return "  ".join(found)
