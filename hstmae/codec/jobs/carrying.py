"""What stands beside the frames of an episode of a .hst file, on its way into another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ...film.facts import FilmFacts
from ..container.chunks import chunk, read_payload
from ..container.description import FILM_PROFILE, Description
from ..film.head import pack_json
from ..session.profiles import decodes_exactly
from ..session.reader import HstReader
from .inputs import CodedEpisode


@dataclass(frozen=True)
class Beside:
    """What is carried over, and what is not.

    Attributes:
        files: payload of the FILES chunk, None where there is none.
        facts: payload of the FACTS chunk, likewise.
        lost: what does not go along, and why, as sentences.
        film: the facts of the film whose own packets the frames come from; None for others.
        steps: first frame and payload of each STEPS chunk.
    """

    files: bytes | None
    facts: bytes | None
    lost: tuple[str, ...]
    film: FilmFacts | None
    steps: tuple[tuple[int, bytes], ...] = ()


def beside(episode: CodedEpisode, profile: str, stride: int, with_state: bool, with_files: bool) -> Beside:
    """What goes along when an episode is coded again as the other arguments say."""
    with HstReader(episode.path, **dict(episode.options)) as reader:
        description = reader.episodes()[episode.position]
        entry = reader.entries[episode.position]
        place = entry.files
        payload = None if place is None else read_payload(reader.data, *place)
        lost: list[str] = []
        if place is not None and with_files:
            why = _changed(reader, episode, description, profile, stride, with_state)
            if payload is None:
                why = "that part of the file is damaged"
            if why:
                lost.append(f"names, times and packing of its source files are not kept: {why}")
                payload = None
        facts = reader.film(episode.position)
        packed = None
        if facts is not None and episode.whole and stride == 1 and not reader.missing(episode.position):
            packed = pack_json(facts.to_json())
        elif facts is not None:
            lost.append("the film's own times and facts are not kept: not all of its frames are taken")
        film = facts if episode.profile == FILM_PROFILE else None
        steps: list[tuple[int, bytes]] = []
        if entry.steps and episode.whole and stride == 1 and not reader.missing(episode.position):
            found = [(at[1].first, read_payload(reader.data, *at)) for at in entry.steps]
            steps = [(first, bytes(payload)) for first, payload in found if payload is not None]
        if len(steps) < len(entry.steps):
            lost.append(
                "rewards and what else an environment said are not kept: not all frames are, or they are damaged"
            )
        return Beside(payload if with_files else None, packed, tuple(lost), film, tuple(steps))


def _changed(
    reader: HstReader, episode: CodedEpisode, description: Description, profile: str, stride: int, with_state: bool
) -> str:
    """Why the source files could not be written again; "" where they can."""
    if not episode.whole or stride > 1 or reader.missing(episode.position):
        return "not all frames are taken"
    if description.state and not with_state:
        return "they hold the memory that --no-state leaves out"
    if not (decodes_exactly(profile) and decodes_exactly(description.profile)):
        return "their pictures change"
    return ""


def copied(episode: CodedEpisode, number: int, change: Callable[[Description], Description]) -> Iterator[bytes]:
    """The chunks of an episode as they are, under another number; the last one is its complete description.

    Args:
        change: what becomes of its description.
    """
    with HstReader(episode.path, **dict(episode.options)) as reader:
        entry = reader.entries[episode.position]
        description = change(reader.episodes()[episode.position])
        yield replace(description, frames=-1).pack(number)
        for offset, header in sorted([*entry.gops, *entry.beside]):
            payload = read_payload(reader.data, offset, header)
            if payload is None:
                continue  # reported as missing, or found by who needs it
            fields = {"first": header.first, "frames": header.frames, "flags": header.flags}
            yield chunk(header.kind, payload, episode=number, **fields)
        yield description.pack(number)
