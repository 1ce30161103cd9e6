"""Data: sources of recorded play, the preprocessed store, clips drawn from it."""

from .episode import OUTCOMES, Episode
from .store.manifest import EpisodeInfo
from .store.reader import EpisodeStore

__all__ = ["OUTCOMES", "Episode", "EpisodeInfo", "EpisodeStore"]
