"""Atari 2600 games as palette games: pictures are the console's own colour numbers, and labels of the games below.

A picture holds half the number that the console gives a colour (its lowest bit means nothing), 128 NTSC colours. They
are those of the Arcade Learning Environment. Which bytes of memory hold an object's place is published in Anand et al.
2019 (see `atari`); offsets and sizes were measured on its pictures: where, counted from the place that the memory says,
something stands out from the scenery in most of 2,280 frames of random play. A test looks at pictures again.
"""

from __future__ import annotations

import numpy as np

from .atari import MEMORY_TOKENS, Atari, Breakout, LabelledAtari, MovingObject, Pong, fields_of

# Rows of one hue, by brightness.
_NTSC = """
000000 4a4a4a 6f6f6f 8e8e8e aaaaaa c0c0c0 d6d6d6 ececec 484800 69690f 86861d a2a22a bbbb35 d2d240 e8e84a fcfc54
7c2c00 904811 a26221 b47a30 c3903d d2a44a dfb755 ecc860 901c00 a33915 b55328 c66c3a d5824a e39759 f0aa67 fcbc74
940000 a71a1a b83232 c84848 d65c5c e46f6f f08080 fc9090 840064 97197a a8308f b846a2 c659b3 d46cc3 e07cd2 ec8ce0
500084 68199a 7d30ad 9246c0 a459d0 b56ce0 c57cee d48cfc 140090 331aa3 4e32b5 6848c6 7f5cd5 956fe3 a980f0 bc90fc
000094 181aa7 2d32b8 4248c8 545cd6 656fe4 7580f0 8490fc 001c88 183b9d 2d57b0 4272c2 548ad2 65a0e1 75b5ef 84c8fc
003064 185080 2d6d98 4288b0 54a0c5 65b7d9 75cceb 84e0fc 004030 18624e 2d8169 429e82 54b899 65d1ae 75e7c2 84fcd4
004400 1a661a 328432 48a048 5cba5c 6fd26f 80e880 90fc90 143c00 355f18 527e2d 6e9c42 87b754 9ed065 b4e775 c8fc84
303800 505916 6d762b 88923e a0ab4f b7c25f ccd86e e0ec7c 482c00 694d14 866a26 a28638 bb9f47 d2b656 e8cc63 fce070
"""
NTSC = np.frombuffer(bytes.fromhex(_NTSC), np.uint8).reshape(128, 3)
_WHOLE = (0, 0, 160, 210)


class Atari2600(Atari):
    """Palette pictures with the console's work memory, of which nothing is known."""

    name = "atari2600"
    palette = NTSC


def _game(
    title: str, objects: tuple[MovingObject, ...], field: tuple[int, int, int, int] = _WHOLE, scrolls: bool = False
) -> type[LabelledAtari]:
    names = tuple(item.name for item in objects)
    about: dict[str, object] = {
        "__doc__": f"{title} with the places of {', '.join(names)}.",
        "__module__": __name__,
        "name": f"atari2600-{title.lower()}",
        "palette": NTSC,
        "objects": objects,
        "field": field,
        "scrolls": scrolls,
        "regions": ("unknown", *names),
        "token_names": (*MEMORY_TOKENS, *names),
        "fields": fields_of(objects),
    }
    return type(title, (LabelledAtari,), about)


GHOSTS = (("sue", 6, 12), ("inky", 7, 13), ("pinky", 8, 14), ("blinky", 9, 15))
GAMES: tuple[type[Atari], ...] = (
    Atari2600,
    _game(
        "Boxing", (MovingObject("player", 32, 34, (5, 38), (14, 27)), MovingObject("enemy", 33, 35, (3, 37), (14, 28)))
    ),
    _game("Breakout", Breakout.objects, Breakout.field),
    _game("Hero", (MovingObject("player", 27, 31, (1, 135), (6, 21), up=True),)),
    _game("MontezumaRevenge", (MovingObject("player", 42, 43, (0, 309), (6, 17), up=True),)),
    _game(
        "MsPacman",
        (
            *(MovingObject(name, x, y, (-12, 1), (8, 9)) for name, x, y in GHOSTS),
            MovingObject("player", 10, 16, (-12, 1), (8, 10)),
        ),
    ),
    _game("Pong", Pong.objects, Pong.field),
    _game("PrivateEye", (MovingObject("player", 63, 86, (-3, 182), (14, 8), up=True),)),
    _game("Riverraid", (MovingObject("player", 51, None, (2, 147), (5, 11)),), scrolls=True),
    _game("Seaquest", (MovingObject("player", 70, 97, (0, 33), (16, 10)),)),
    _game("SpaceInvaders", (MovingObject("player", 28, None, (-1, 185), (7, 10)),)),
    _game(
        "Tennis",
        (
            MovingObject("player", 26, 24, (-2, 166), (12, 19), up=True),
            MovingObject("enemy", 27, 25, (-2, 167), (12, 19), up=True),
        ),
    ),
    _game("VideoPinball", (MovingObject("ball", 67, 68, (0, -3), (2, 4)),)),
    _game(
        "YarsRevenge", (MovingObject("player", 32, 31, (0, 3), (8, 16)), MovingObject("enemy", 43, 42, (0, 3), (8, 18)))
    ),
)


def game_of(environment: str) -> str:
    """Name of the description with a palette that fits an environment of the Arcade Learning Environment:
    "ALE/Pong-v5" -> "atari2600-pong"; "atari2600" where no labels are known."""
    title = "atari2600-" + environment.removeprefix("ALE/").rpartition("-")[0].lower()
    return title if title in {game.name for game in GAMES} else Atari2600.name
