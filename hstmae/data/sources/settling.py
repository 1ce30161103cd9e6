"""The lag of each episode of a source (see `data.pairing`): found in its files, or as the other episodes have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from ..pairing import Pairing, usual
from .base import SourceEpisode
from .smb.archive import ArchivedEpisode
from .smb.dataset import SmbEpisode

Episode = TypeVar("Episode", bound=SourceEpisode)


def pairing_of(episode: SourceEpisode) -> Pairing | None:
    """How its memory and pictures were put together; None: not known, or there is no memory."""
    found = getattr(episode, "pairing", None)
    return found if isinstance(found, Pairing) else None


def looked_at(episode: Episode) -> Episode:
    """The episode with its lag found, where its files have one; what lies in an archive is looked at when it is
    unpacked."""
    if not isinstance(episode, SmbEpisode) or isinstance(episode, ArchivedEpisode) or episode.pairing is not None:
        return episode
    return replace(episode, pairing=episode.find_pairing())


def with_pairing(episode: Episode, pairing: Pairing | None) -> Episode:
    """The episode with a lag that is known already, where its files have one."""
    if pairing is None or not isinstance(episode, SmbEpisode):
        return episode
    return replace(episode, pairing=pairing)


def as_the_others(episode: Episode, others: Mapping[str, Pairing | None]) -> Episode:
    """An episode that does not tell its lag, with that of the others.

    Args:
        others: by the episodes' names: those of the same recorder's session count if any of them tells.
    """
    session = _session(episode.name)
    same = usual(pairing for name, pairing in others.items() if _session(name) == session)
    found = usual(others.values()) if same.by == "nothing" else same
    return replace(episode, pairing=found)  # type: ignore[type-var]


def _session(name: str) -> str:
    return name.rpartition("_e")[0]


def settled(
    episodes: Iterable[SourceEpisode], known: Mapping[str, Pairing | None] | None = None
) -> list[SourceEpisode]:
    """All of them `looked_at`, those that do not tell `as_the_others`."""
    found = [looked_at(episode) for episode in episodes]
    others = {episode.name: pairing_of(episode) for episode in found}
    return [as_the_others(e, others) if undecided(e) else e for e in found]


def undecided(episode: SourceEpisode) -> bool:
    """Whether it was looked at, and nothing told its lag."""
    pairing = pairing_of(episode)
    return pairing is not None and pairing.by == "nothing"
