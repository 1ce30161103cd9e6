"""What restores a footage: the model of its game where it shows one, else its state, other frames and motion recall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..atlas.locate import Locator
from ..atlas.maps import Atlas
from ..atlas.recognising import Evidence, look
from ..data.store.manifest import is_store
from ..data.store.reader import EpisodeStore
from ..early import AUTO
from ..errors import DataError, GameError
from ..games import get_game
from ..games.pixels import View
from ..games.told import tells_pictures
from ..inputs.kinds import file_kind
from ..model_folders import ATLAS, find_model, model_game
from .footage.base import Footage
from .footage.opening import open_footage
from .native_frames import native_frames

if TYPE_CHECKING:
    from ..motion.recall import Mode
    from .footage_restorer import FootageRestorer
    from .job import Restores
    from .mask_rules import MaskRules

MODELS = {"smb": "hst-mae-nano"}  # bundled ones, by the game they know
ANYTHING = "generic"
LOOKED_AT = 8  # frames of a sequence in which a game's looks are looked for


@dataclass(frozen=True)
class Choice:
    """What restores, and what.

    Attributes:
        game: whose rules the footage is read by; footage: its sequences.
        load: makes what restores; this is what takes its time.
        why: one sentence for the user.
        model: which one, by name or path; "" where none is needed.
    """

    game: str
    footage: list[Footage]
    load: Callable[[], Restores]
    why: str
    model: str = ""


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
        load = (lambda: loaded[0]) if loaded else partial(model, checkpoint)
        return Choice(name, opened(name), load, f"by model {checkpoint}", checkpoint)
    game, said = (game, "as --game says") if game is not None else (stated_game(path), "as it states")
    if game is not None and get_game(game).indexed:
        if game not in MODELS:
            return Choice(game, opened(game), partial(_no_network, game, mode), f"without a network: {_means(game)}")
        known = MODELS[game]
        return Choice(game, opened(game), partial(model, known), f"by model {known}, {said}", known)
    if game is None:
        for name, known in MODELS.items():
            try:
                footage = opened(name)
            except DataError:
                continue
            if _shows(footage, masks, name):
                why = f"by model {known}: the footage shows its game"
                return Choice(name, footage, partial(model, known), why, known)
    name = ANYTHING if game is None else game
    return Choice(name, opened(name), anything, "by motion recall: " + (
        "it shows no game that a bundled model knows" if game is None else f"no model of '{game}' is needed"
    ))  # fmt: skip


def stated_game(path: Path) -> str | None:
    """The game that a store or a .hst file says it holds, where it is known here; None for anything else, and for files
    of several games."""
    if is_store(path):
        names = {EpisodeStore(path).game}
    elif path.is_file() and file_kind(path) == "hst":
        from ..codec.session.reader import HstReader

        with HstReader(path) as reader:
            names = {episode.game for episode in reader.episodes()}
    else:
        return None
    try:
        return get_game(names.pop()).name if len(names) == 1 else None
    except GameError:
        return None


def without_model(game: str) -> FootageRestorer:
    """What restores a game for which no model is given: the bundled one, else none.

    Raises:
        GameError: a game without a palette.
    """
    if game in MODELS:
        from .loading import load

        return load(MODELS[game])
    if not get_game(game).indexed:
        raise GameError(f"'{game}' has no palette, and no model of it comes with the package: give a --checkpoint")
    return _no_network(game)


def _no_network(game: str, mode: Mode | None = None) -> FootageRestorer:
    from .no_network import USUAL, NoNetwork

    return NoNetwork(game, mode or USUAL)


def _means(game: str) -> str:
    told = (
        "its state tells the pictures"
        if tells_pictures(get_game(game))
        else "its state tells a network, which is not there"
    )
    return f"no model of '{game}' comes with the package; {told}, motion recall draws the rest"


def _shows(footage: Sequence[Footage], masks: MaskRules, game: str) -> bool:
    """Whether the footage shows the game.

    A store or a .hst file says so. Of other footage every sequence has colours of the game alone where it is seen, and
    looks like the game's maps or status bar: one sequence at least, and all of which enough is seen. Colours alone do
    not tell, nor does memory: other games of a console have the same.
    """
    if all(getattr(sequence, "of_game", False) for sequence in footage):
        return bool(footage)
    spec, locator, proven = get_game(game), _locator(game), False
    for sequence in footage:
        evidence = Evidence()
        for number, position in enumerate(_positions(sequence.count)):
            if number > 1 and (locator is None or evidence.proof):
                break
            try:
                stretch = sequence.read(position, position + 1)
                if not stretch.pictures:
                    continue
                native = native_frames(stretch, masks.of(sequence, stretch, position).mask, spec)
            except DataError:  # what cannot be read as that game is no footage of it
                return False
            if locator is not None and not evidence.proof:
                look(View(native.frames, native.mask, spec, origin=stretch.corner), locator, evidence)
        if evidence.contradicts:
            return False
        proven |= evidence.proof or locator is None
    return proven


def _positions(count: int) -> list[int]:
    """Frames that are looked at: the first and the middle one, then others until something is proven."""
    others = np.linspace(0, count - 1, LOOKED_AT).astype(int).tolist() if count else []
    return list(dict.fromkeys([0, count // 2, *others]))


@cache
def _locator(game: str) -> Locator | None:
    """The atlas of the bundled model of a game; None without any."""
    path = find_model(MODELS[game]) / ATLAS
    return Locator(Atlas.load(path), get_game(game)) if path.is_file() else None
