"""What an encoding process is to do with one episode, and what it tells of it afterwards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeGuard

from ...data.sources.animation import AnimationEpisode
from ...data.sources.base import Problem, SourceEpisode
from ...data.sources.film import FilmEpisode
from ...data.sources.losses import KINDS
from ...data.sources.pictures import PicturesEpisode
from ...data.store.manifest import canonical
from ...errors import UsageError
from ...games import get_game
from ..container.chunks import MAX_GOP
from ..container.description import FILM_PROFILE, REPLAY_PROFILE, Description
from ..lossless.profile import VERSION, LosslessProfile
from ..session.profiles import decodes_exactly, usual_gop
from .inputs import CodedEpisode

LOSSLESS = "lossless"


@dataclass(frozen=True)
class Settings:
    """How episodes are encoded.

    Attributes:
        profile: name, and `options` for it; see `profiles`. None: films are kept as they are, the rest is lossless.
        gop: frames in a group, the unit of random access; None: as many as is usual for the profile.
        stride: keep every n-th frame.
        with_state: keep the game's memory.
        with_files: keep how the files of recordings looked; `exact`: and all of those that this does not cover.
        fail: stop at the first problem of the source instead of leaving out and reporting.
        allow_loss: kinds of what a lossless profile may lose all the same, see `sources.losses`.
    """

    profile: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    gop: int | None = None
    stride: int = 1
    with_state: bool = True
    with_files: bool = True
    exact: bool = False
    fail: bool = False
    allow_loss: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := [kind for kind in self.allow_loss if kind not in (*KINDS, "all")]:
            raise UsageError(f"--allow-loss {unknown[0]}: expected {', '.join(KINDS)} or all")


@dataclass(frozen=True)
class Task:
    """One episode to encode.

    Attributes:
        episode: where its frames come from.
        number: of the episode in the file.
        game: name.
        settings: how; they name a profile.
        name: of the episode in the file.
        begun: the episode's description, where a part of it is in the file already.
        first: frames of that part.
        has_files: whether the looks of its files are in the file, too.
        chunks: of it in the file already.
        keep: folder for what a film is gone on with; None = it is not.
        threads: groups that are coded at the same time.
    """

    episode: SourceEpisode
    number: int
    game: str
    settings: Settings
    name: str
    begun: Description | None = None
    first: int = 0
    has_files: bool = False
    chunks: int = 0
    keep: Path | None = None
    threads: int = 1

    @property
    def profile(self) -> str:
        return str(self.settings.profile)

    @property
    def gop(self) -> int:
        """Frames in a group."""
        return min(self.settings.gop or usual_gop(self.profile), MAX_GOP)

    def signature(self) -> str:
        """Changes when the content of the source or the settings change; a copy of the source has the same."""
        s = self.settings
        settings: list[object] = [self.game, s.profile, self.gop, s.stride, s.with_state, s.with_files, s.exact]
        settings += [sorted(s.allow_loss)] if s.allow_loss else []
        settings += [VERSION] if s.profile == LosslessProfile.name else []  # groups of two versions do not go together
        # The model, or the ROM, is named by its hash in the description, wherever it lies.
        options = [[key, str(value)] for key, value in s.options if key not in ("checkpoint", "rom")]
        return hashlib.sha256(canonical([settings, options, self.episode.signature(content=True)])).hexdigest()[:16]


def task_of(episode: SourceEpisode, number: int, game: str, name: str, settings: Settings) -> Task:
    """A task with the profile that is right for the episode, where the settings name none.

    Raises:
        UsageError: profile video for what is no film, or for a film that is to be changed.
    """
    why = _no_film(episode, game, settings)
    if settings.profile == FILM_PROFILE and why:
        raise UsageError(f"{episode.name}: --profile {FILM_PROFILE} keeps films as they are; {why}")
    profile = settings.profile or (LOSSLESS if why else FILM_PROFILE)
    if profile == REPLAY_PROFILE and not why:
        profile, settings = FILM_PROFILE, replace(settings, options=())  # no console plays a film
    if (
        isinstance(episode, PicturesEpisode | AnimationEpisode)
        and decodes_exactly(profile)
        and "all" not in settings.allow_loss
    ):
        episode = replace(episode, allowed=settings.allow_loss)
    return Task(episode, number, game, replace(settings, profile=profile), name)


def is_film(episode: SourceEpisode) -> TypeGuard[FilmEpisode | AnimationEpisode]:
    """Whether an episode is one file of packets that this machine can read as a film. GIF files are, with PyAV."""
    if isinstance(episode, AnimationEpisode):
        return episode.path.suffix.lower() == ".gif" and find_spec("av") is not None
    return isinstance(episode, FilmEpisode)


def _no_film(episode: SourceEpisode, game: str, settings: Settings) -> str:
    """Why an episode cannot be kept as a film; "" where it can."""
    if isinstance(episode, CodedEpisode) and episode.profile == FILM_PROFILE:
        changed = not episode.whole or settings.stride > 1
    elif is_film(episode) and not get_game(game).indexed:
        changed = bool(getattr(episode, "resize", 0)) or settings.stride > 1
    else:
        return "this is none"
    return "--resize and --stride make other pictures of it" if changed else ""


@dataclass(frozen=True)
class Done:
    """What became of a task.

    Attributes:
        files: source files whose looks are kept; `exact` of them can be written again as the very files they were.
        carried: whether they came from another .hst file, where the looks of files were known already.
        notes: counts by name.
        predicted: frames that a console at both ends makes.
    """

    name: str
    frames: int
    problems: tuple[Problem, ...]
    files: int = 0
    exact: int = 0
    carried: int = 0
    notes: tuple[tuple[str, int], ...] = ()
    predicted: int = 0
