"""Writes src/games/known.json: what the player takes over from the package's games. `python web/game_data.py`"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from hstmae.games import registry
from hstmae.games.atari import LabelledAtari
from hstmae.games.atari_games import GAMES, Atari2600
from hstmae.games.smb import layers, scenery
from hstmae.games.smb.game import SuperMarioBros

TARGET = Path(__file__).with_name("src") / "games" / "known.json"
_BUTTONS = {"smb": ["A", "up", "left", "B", "start", "right", "down", "select"]}  # from bit 7 down


def _packed(numbers: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, "<i2").tobytes()).decode()


def _game(name: str) -> dict[str, Any]:
    game = registry.get_game(name)
    fields = [{"name": f.name, "address": f.address, "count": f.count, "unit": f.unit} for f in game.fields]
    kept = [f for f in fields if f["count"] <= 16]  # longer ones are no numbers to look at
    return {"size": game.native_size, "state": game.state_size, "fields": kept, "buttons": _BUTTONS.get(name, [])}


def _objects(game: type[Atari2600]) -> list[list[int | None]]:
    """x and y in the memory, offset, size and 1 where y counts from below, of each object that has pieces."""
    if not issubclass(game, LabelledAtari) or game.scrolls:
        return []
    return [[o.x, o.y, *o.offset, *o.size, int(o.up)] for o in game.objects]


def known() -> str:
    """The text of the file."""
    coding = SuperMarioBros.coding
    value = {
        "games": {name: _game(name) for name in ("smb",)},
        "atari": {
            "size": Atari2600.native_size,
            "state": Atari2600.state_size,
            "objects": {game.name: _objects(game) for game in GAMES},
        },
        "smb": {
            "look": _packed(layers._LOOK),
            "scenery": _packed(layers._SCENERY),
            "guess": _packed(layers._GUESS_ID),
            "arrangements": _packed(scenery.FIRST_SCENERY),
            "digits": _packed(layers._HUD_VALUE),
            "digit_places": [[column, address] for column, (address, _) in layers.HUD_DIGITS.items()],
            "attribute": _packed(layers._ATTRIBUTE),
            "globals": layers._GLOBAL_ADDRESS.tolist(),
            "chosen": [coding.seldom_globals, coding.often_globals],
            "first_text": layers.HUD_STATIC,
            "unknown": layers.TILE_IDS - 1,
        },
    }
    return json.dumps(value, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(known(), encoding="utf-8")
