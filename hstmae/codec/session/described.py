"""What a file does not hold: the description of a game that a user wrote, by which its pictures are coded."""

from ...errors import GameError
from ...games.registry import get_game, own_game
from ..container.description import Description


def about_game(description: Description) -> str:
    """What else than damage an error of decoding may come from, as the end of a sentence; "" where it cannot be the
    game's description."""
    if not description.state or description.channels == 3 or own_game(description.game):
        return ""
    try:
        get_game(description.game)
    except GameError:
        return (
            f"; the game '{description.game}' is not known here: if it was when this was encoded, name the file that "
            "describes it (HSTMAE_GAMES=FILE.py)"
        )
    return (
        f"; or the description of '{description.game}' is another than the one it was encoded with: what decode() says "
        "of tiles, sprites and globals must be the same"
    )
