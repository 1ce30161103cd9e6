"""The profiles a .hst file may be coded with, by name; and that a file meets the very tables it was made with."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ...errors import CodecError
from ..container.chunks import MAX_GOP
from ..container.description import FILM_PROFILE, REPLAY_PROFILE, Description
from ..container.gop import Gop, Profile

LIVE_GOP = 64  # frames in a group that is written while it happens: so many wait, and are lost with the process


class Follower(Protocol):
    """What codes the groups of one episode, each with what came before it at hand.

    Attributes:
        streams: names of the streams that groups may have.
        predicted: frames so far that were predicted exactly.
    """

    streams: tuple[str, ...]
    predicted: int

    def encode(self, gop: Gop, numbers: np.ndarray) -> dict[str, bytes]:
        """Streams of the next group, with the recorder's numbers int32 [T] of its frames."""


@runtime_checkable
class Following(Protocol):
    """A profile whose groups need not stand alone."""

    def session(self, level: str) -> Follower:
        """For an episode of a level, "" where that is not known."""


Maker = Callable[..., Profile]  # called with game=NAME and the options of `make_profile`


def _lossless(game: str | None = None, **options: Any) -> Profile:
    from ..lossless.profile import LosslessProfile

    return LosslessProfile(game, **options)


def _live(game: str | None = None, **options: Any) -> Profile:
    from ..lossless.live import LiveProfile

    return LiveProfile(game, **options)


def _neural(game: str | None = None, **options: Any) -> Profile:
    from ..neural.profile import NeuralProfile  # loads PyTorch

    return NeuralProfile(game=game, **options)


def _replay(game: str | None = None, **options: Any) -> Profile:
    from ..replay.profile import ReplayProfile

    return ReplayProfile(game, **options)


def _video(game: str | None = None, **options: Any) -> Profile:
    raise CodecError("profile 'video' keeps films as they are: it takes films, and nothing that is put together anew")


_MAKERS: dict[str, Maker] = {
    "lossless": _lossless, "live": _live, "neural": _neural, REPLAY_PROFILE: _replay, FILM_PROFILE: _video,
}  # fmt: skip
_APPROXIMATE = {"neural"}
_BEFORE = {"-1": 1, "-2": 2, "-3": 5}  # version of the streams by that of the tables, which tell no later ones apart


def register(name: str, maker: Maker) -> None:
    """Make a profile known to this process. `maker(game=..., **options)` gives it."""
    _MAKERS[name] = maker


def decodes_exactly(name: str) -> bool:
    """Whether a profile gives back the very bits that were encoded, on every machine."""
    return name not in _APPROXIMATE


def usual_gop(name: str) -> int:
    """Frames in a group of a profile, where nobody says how many: docs/codec.md has what speaks for each.

    Films are cut where their key frames allow, so this is the least for them.
    """
    return {"lossless": 192, "live": 32, REPLAY_PROFILE: MAX_GOP}.get(name, LIVE_GOP)


def profile_names() -> list[str]:
    return sorted(_MAKERS)


def make_profile(name: str, game: str, **options: Any) -> Profile:
    """A profile to encode with.

    Raises:
        CodecError: no such profile, or options it does not take.
    """
    if name not in _MAKERS:
        raise CodecError(f"unknown profile '{name}'; known: {', '.join(profile_names())}")
    try:
        return _MAKERS[name](game=game, **options)
    except TypeError as error:
        raise CodecError(f"profile '{name}' does not take these options ({error})") from None


def profile_of(description: Description, **options: Any) -> Profile:
    """The profile that decodes an episode; of `options`, `rom` concerns replayed ones alone.

    Raises:
        CodecError: unknown here, or its tables or model are not those the episode was encoded with: nothing else can
            decode it, so nothing else is tried.
    """
    rom = options.pop("rom", None)
    if description.profile == REPLAY_PROFILE:
        options |= {"rom": rom, "bound": (description.tables, description.tables_sha256)}
    if description.profile in ("lossless", "live") and description.tables[-2:] in _BEFORE:
        options = {**options, "version": _BEFORE[description.tables[-2:]]}
    if description.profile == "neural":
        options = {"bound": description.tables_sha256, **options}  # the same, of the memory's tables
    profile = make_profile(description.profile, description.game, **options)
    if (profile.tables_id, profile.tables_sha256) != (description.tables, description.tables_sha256):
        raise CodecError(
            f"{description.name}: was coded with '{description.tables}' ({description.tables_sha256[:12]}), here is "
            f"'{profile.tables_id}' ({profile.tables_sha256[:12]}): decode it with the version of this program, or the "
            "model, that made it"
        )
    return profile
