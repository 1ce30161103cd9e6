"""What restores a footage: the model of its game where it shows one, else motion recall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..early import AUTO
from ..errors import DataError, GameError
from ..games import get_game
from ..model_folders import model_game
from .footage.base import Footage
from .footage.opening import open_footage
from .native_frames import native_frames

if TYPE_CHECKING:
    from ..motion.recall import Mode
    from .job import Restores
    from .mask_rules import MaskRules

MODELS = {"smb": "hst-mae-nano"}  # bundled ones, by the game they know
ANYTHING = "generic"


@dataclass(frozen=True)
class Choice:
    """What restores, and what.

    Attributes:
        game: whose rules the footage is read by; footage: its sequences.
        load: makes what restores; this is what takes its time.
        why: one sentence for the user.
    """

    game: str
    footage: list[Footage]
    load: Callable[[], Restores]
    why: str


def choose(
    path: Path, checkpoint: str, game: str | None, masks: MaskRules, mode: Mode, model: Callable[[str], Restores],
    with_state: bool = True, strict: bool = False, lag: int | None = None,
) -> Choice:  # fmt: skip
    """Open an input for what restores it.

    Args:
        checkpoint: a model, or AUTO for the bundled one of the game that is seen, or motion recall.
        game: what the footage shows; None = found out, or what the checkpoint is for.
        model: loads a checkpoint.
        with_state, strict, lag: as of `open_footage`.
    Raises:
        GameError: the checkpoint is for another game, or none is bundled for a palette game.
        DataError: nothing there that can be restored.
    """

    def opened(name: str) -> list[Footage]:
        return list(open_footage(path, name, with_state, strict, lag))

    def anything() -> Restores:
        from ..restoration.anything import AnythingRestorer

        return AnythingRestorer(mode)

    if checkpoint != AUTO:
        loaded: list[Restores] = []
        own = model_game(checkpoint)
        if own is None:
            loaded.append(model(checkpoint))
            own = loaded[0].game.name
        if game not in (None, own):
            raise GameError(
                f"{checkpoint}: restores '{own}', not '{game}'; add --game {own} where the footage shows that, or "
                "leave out --checkpoint: footage of anything is restored by motion recall"
            )
        name = own
        return Choice(name, opened(name), lambda: loaded[0] if loaded else model(checkpoint), f"by model {checkpoint}")
    if game is not None and get_game(game).indexed:
        if game not in MODELS:
            raise GameError(
                f"no model of '{game}' comes with the package: give a --checkpoint, or leave out --game: footage of "
                "anything is restored by motion recall"
            )
        return Choice(game, opened(game), lambda: model(MODELS[game]), f"by model {MODELS[game]}, as --game says")
    if game is None:
        for name, known in MODELS.items():
            try:
                footage = opened(name)
            except DataError:
                continue
            if _shows(footage, masks, name):
                return Choice(name, footage, partial(model, known), f"by model {known}: the footage shows its game")
    name = ANYTHING if game is None else game
    return Choice(name, opened(name), anything, "by motion recall: " + (
        "it shows no game that a bundled model knows" if game is None else f"no model of '{game}' is needed"
    ))  # fmt: skip


def _shows(footage: Sequence[Footage], masks: MaskRules, game: str) -> bool:
    """Whether some frames of every sequence have colours of the game alone where they are seen."""
    for sequence in footage:
        for position in {0, sequence.count // 2}:
            stretch = sequence.read(position, position + 1)
            if not stretch.pictures:
                continue
            try:
                native_frames(stretch, masks.of(sequence, stretch, position).mask, get_game(game))
            except DataError:
                return False
    return bool(footage)
