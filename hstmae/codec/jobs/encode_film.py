"""The work of one encoding process where a film is kept as it is: its own packets, and all the rest of its file."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np

from ...data.sources.animation import AnimationEpisode
from ...data.sources.base import Problem, UnusableEpisode
from ...data.sources.film import FilmEpisode
from ...data.sources.side_file import SideData, side_data
from ...errors import CodecError, DataError
from ...executor import Advance
from ...film.facts import FilmFacts
from ...film.reading import FilmReader, opened
from ...journal import Log
from ..container.chunks import FILM, MAX_PAYLOAD, chunk
from ..container.description import FILM_PROFILE, MAX_PIXELS, MAX_SIDE, Description
from ..container.group_chunks import pack_gop
from ..film.begun import FilmLogs
from ..film.decoding import Coded, decoded, decoder, digest
from ..film.dividing import Cut, Walk, divide, leads, walk
from ..film.head import FilmHead, finished
from ..film.placing import Placer
from ..film.rest import REST_BYTES, Rest
from ..film.side import pack_rows
from ..film.table import NO_TIME, PacketTable

_REMEMBERED = 8  # groups whose packets are at hand for what goes on from them
_MAX_RAW = 64 << 20  # of the frames that are read at a time


def encode_film(
    episode: FilmEpisode | AnimationEpisode,
    description: Callable[..., Description],
    number: int,
    gop: int,
    report: Callable[[Problem], None],
    advance: Advance,
    with_state: bool = True,
    logs: FilmLogs | None = None,
    told: int = 0,
) -> Generator[bytes, None, int]:
    """Gives chunks in an order that depends on nothing but the film and `gop`; returns how many frames there are.

    Args:
        description: makes the episode's description of what it shows and how it is coded.
        number: of the episode in the file.
        gop: frames that a group has at least, where key frames allow.
        report: takes what is odd or cannot be read.
        logs: where is noted what was found out, for a run that goes on after this one was stopped.
        told: how many of its frames `advance` need not be told of.
    Raises:
        UnusableEpisode: nothing of it can be used.
    """
    logs = logs or FilmLogs()
    try:
        side = side_data(episode.side, episode.state_size)
        if side is not None and not with_state:
            side = None if side.actions is None else replace(side, state=None)
        reader = FilmReader(episode.path, with_times=False)
        steps = _Halved(advance, told)
        found = walk(episode.path, steps, logs)
        cuts = divide(found, gop)
    except DataError as error:
        raise UnusableEpisode(str(error)) from None
    if not found.shown:
        raise UnusableEpisode(f"holds no frame that can be read ({found.damage or 'it ends at once'})")
    frames = len(found.shown)
    if found.damage:
        why = f"damaged after {frames} frames, the rest cannot be shown and is kept as it is: {found.damage}"
        report(Problem(episode.name, episode.path.name, why))
    elif side is not None and len(side) != frames:
        raise UnusableEpisode(f"its side file has {len(side)} frames, the film {frames}")
    head = _head(episode, reader, found)
    described = _described(episode, description, head, side, gop)
    with episode.path.open("rb") as opened_file, mmap.mmap(opened_file.fileno(), 0, access=mmap.ACCESS_READ) as file:
        yield described.pack(number) + chunk(FILM, head.pack(), episode=number)
        rest = Rest(number)
        placer = Placer(file)
        for cut, table, data in _groups(episode, head, found, cuts, placer, rest, file, steps, logs.log("groups")):
            yield from rest.full()
            streams = {"PICT": data, "PKTS": table.pack(), **_side(side, cut, frames)}
            if sum(map(len, streams.values())) > MAX_PAYLOAD - (1 << 16):
                raise UnusableEpisode("its packets are larger than a group may be: give --profile lossless")
            numbers = np.arange(cut.first, cut.first + cut.frames, dtype=np.int32)
            yield pack_gop(described, number, cut.first, numbers, streams, b"")
        total, sha256 = len(file), hashlib.sha256()
        for start in range(placer.end, total, REST_BYTES):
            rest.add(file[start : start + REST_BYTES])
            yield from rest.full()
        yield from rest.all()
        for start in range(0, total, REST_BYTES):
            sha256.update(file[start : start + REST_BYTES])
        yield chunk(FILM, finished(head, total, sha256.hexdigest()).pack(), episode=number)
    return frames


class _Halved:
    """Progress of a film, which is decoded twice: every second step counts, `told` frames were counted before."""

    def __init__(self, advance: Advance, told: int) -> None:
        self._advance, self._steps = advance, -2 * told

    def __call__(self, count: int) -> None:
        before, self._steps = max(0, self._steps // 2), self._steps + count
        if self._steps // 2 > before:
            self._advance(self._steps // 2 - before)


def _head(episode: FilmEpisode | AnimationEpisode, reader: FilmReader, found: Walk) -> FilmHead:
    with opened(episode.path) as (container, stream):
        context = stream.codec_context
        return FilmHead(
            codec=context.codec.canonical_name,
            decoder=context.codec.name,
            tag=str(context.codec_tag).rstrip("\0"),
            pixel_format=found.pixel_format,
            extradata=bytes(context.extradata or b""),
            width=context.width,
            height=context.height,
            bits=int(context.bits_per_coded_sample or 0),
            container=container.format.name,
            file=episode.path.name,
            facts=_timed(reader.facts, found),
        )


def _timed(facts: FilmFacts, found: Walk) -> FilmFacts:
    """Facts with the times of the frames as they are shown; a frame without one comes a frame after the one before."""
    step = max(1, round(1 / ((facts.rate or 25) * facts.time_base)))
    times: list[int] = []
    for number in found.shown:
        stamp = found.pts[number]
        if times:  # as FilmReader has it: every frame comes later than the one before
            stamp = times[-1] + step if stamp == NO_TIME else max(stamp, times[-1] + 1)
        times.append(0 if stamp == NO_TIME else stamp)
    last = found.shown[-1]
    length = found.durations[last] if found.durations[last] > 0 else step
    return replace(facts, times=tuple(times), end=times[-1] + length)


def _described(
    episode: FilmEpisode | AnimationEpisode,
    description: Callable[..., Description],
    head: FilmHead,
    side: SideData | None,
    gop: int,
) -> Description:
    height, width = head.facts.upright_size
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise UnusableEpisode(f"pictures of {width}x{height} are larger than the format's {MAX_PIXELS:,} pixels")
    state = 0 if side is None or side.state is None else side.state.shape[1]
    actions = 0 if side is None or side.actions is None else 1
    names = ("ACTN", "PICT", "PKTS", "STAT")
    here = {"PICT": True, "PKTS": True, "STAT": state > 0, "ACTN": actions > 0}
    return description(
        height=height,
        width=width,
        channels=3,
        palette="",
        state=state,
        actions=actions,
        profile=FILM_PROFILE,
        tables=head.codec,
        tables_sha256="",
        gop=max(1, min(gop, _MAX_RAW // (3 * height * width))),
        streams=tuple(name for name in names if here[name]),
        fps=_rate(head.facts),
    )


def _rate(facts: FilmFacts) -> float:
    """Frames a second; the mean where it varies."""
    taken = (facts.end - facts.times[0]) * facts.time_base
    mean = float(len(facts.times) / taken) if taken > 0 else 25.0
    return min(max(float(facts.constant_rate or mean), 1e-6), 100_000.0)


def _side(side: SideData | None, cut: Cut, frames: int) -> dict[str, bytes]:
    """The streams of memory and buttons of a group."""
    rows, streams = slice(cut.first, cut.first + cut.frames), {}
    if side is not None and side.state is not None:
        streams["STAT"] = pack_rows(side.state[rows])
    if side is not None and side.actions is not None:
        streams["ACTN"] = pack_rows(side.actions[rows].reshape(-1, 1))
    return streams


def _groups(
    episode: FilmEpisode | AnimationEpisode, head: FilmHead, found: Walk, cuts: list[Cut], placer: Placer, rest: Rest,
    file: mmap.mmap, advance: Advance, log: Log,
) -> Generator[tuple[Cut, PacketTable, bytes], None, None]:  # fmt: skip
    """Each group as it will be: with what has to be decoded before it, its table, and its packets. What has to be is
    noted in `log`: finding it out is all the work."""
    places = found.places()
    remembered: list[list[Coded]] = []
    chain = 0  # groups that have to be decoded before one that goes on from the last
    with opened(episode.path) as (container, stream):
        packets = (packet for packet in container.demux(stream) if packet.size)
        for position, cut in enumerate(cuts):
            at, rest_at, pieces, group = placer.end, placer.rest, [], list[Coded]()
            for k in range(cut.start, cut.stop):
                packet = next(packets)
                data = bytes(packet)
                end = placer.end
                pieces.append(placer.place(data, packet.pos))
                for piece in pieces[-1]:
                    rest.add(file[end : end + piece.gap])
                    end += piece.gap + piece.take
                group.append((k, data, found.keys[k]))
            before, alone = 0, cut.alone
            known = log.lines[position] if position < len(log.lines) else None
            if known is not None:
                before, alone = known["before"], known["alone"]
            elif not cut.first and not _decodes(head, found, cut, group, [], 0):
                raise UnusableEpisode(f"{head.codec} packets cannot be decoded one by one: give --profile lossless")
            elif cut.alone and cut.first:
                before = chain if leads(found, cut, places) else 0
                alone = _decodes(head, found, cut, group, remembered, before)
                if not alone and not before:
                    before, alone = chain, _decodes(head, found, cut, group, remembered, chain)
            if not alone:
                before = chain
            if known is None:
                log.append({"before": before, "alone": alone})
            chain = before + 1 if not alone else 1
            advance(cut.frames)
            remembered = [*remembered, group][-_REMEMBERED:]
            flat = [piece for of_one in pieces for piece in of_one]
            rows = slice(cut.start, cut.stop)
            inside = places[rows]
            table = PacketTable(
                sizes=np.array(found.sizes[rows], np.int64),
                pts=np.array(found.pts[rows], np.int64),
                dts=np.array(found.dts[rows], np.int64),
                durations=np.array(found.durations[rows], np.int64),
                keys=np.array(found.keys[rows], np.int64),
                places=np.where(inside >= 0, inside - cut.first, inside),
                counts=np.array([len(of_one) for of_one in pieces], np.int64),
                gaps=np.array([piece.gap for piece in flat], np.int64),
                skips=np.array([piece.skip for piece in flat], np.int64),
                takes=np.array([piece.take for piece in flat], np.int64),
                at=at,
                rest_at=rest_at,
                before=before,
                alone=alone,
            )
            yield cut, table, b"".join(data for _, data, _ in group)


def _decodes(
    head: FilmHead, found: Walk, cut: Cut, group: list[Coded], remembered: list[list[Coded]], before: int
) -> bool:
    """Whether the group shows what it should when decoding begins so many groups before it."""
    if before > len(remembered):
        return False
    packets: list[Any] = [packet for part in remembered[len(remembered) - before :] for packet in part]
    wanted = dict(zip(found.shown[cut.first : cut.first + cut.frames], found.digests[cut.first :], strict=False))
    try:
        for number, frame in decoded(decoder(head), [*packets, *group]):
            if number in wanted and digest(frame) == wanted[number]:
                del wanted[number]
    except CodecError:
        return False
    return not wanted
