"""Figures of the streams as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .channel import Channel

_KINDS = {
    "publishing": ("gauge", "whether somebody publishes the stream"),
    "viewers": ("gauge", "who watches now"),
    "bytes_per_second": ("gauge", "of the stream, over two seconds"),
    "delay_seconds": ("gauge", "between capture and arrival of the last frame, by the clocks of both"),
    "viewer_lag_seconds": ("gauge", "between sending and a viewer's word that it is shown, of the slowest"),
    "viewers_behind": ("gauge", "viewers that wait for the next group"),
    "frames_total": ("counter", "frames that were published"),
    "bytes_total": ("counter", "bytes that were published"),
    "groups_total": ("counter", "groups that were published"),
    "sessions_total": ("counter", "sessions that were begun"),
    "viewers_total": ("counter", "viewers that came"),
    "jumps_total": ("counter", "times that a viewer was too slow and missed the rest of a group"),
    "recording": ("gauge", "whether the session is being kept"),
}


def exposition(channels: Iterable[Channel]) -> str:
    """All figures of all streams, in Prometheus' text format."""
    rows = [(channel.name, _figures(channel)) for channel in channels]
    return "\n".join(_lines(rows)) + "\n"


def _lines(rows: list[tuple[str, dict[str, float]]]) -> Iterator[str]:
    for key, (kind, help_) in _KINDS.items():
        yield f"# HELP hstmae_stream_{key} {help_}"
        yield f"# TYPE hstmae_stream_{key} {kind}"
        for name, figures in rows:
            yield f'hstmae_stream_{key}{{stream="{name}"}} {figures[key]:g}'
    told = sorted({key for _, figures in rows for key in figures if key.startswith("publisher_")})
    for key in told:
        yield f"# TYPE hstmae_stream_{key} gauge"
        for name, figures in rows:
            if key in figures:
                yield f'hstmae_stream_{key}{{stream="{name}"}} {figures[key]:g}'


def _figures(channel: Channel) -> dict[str, float]:
    counts = channel.counts
    figures: dict[str, float] = {
        "publishing": channel.there,
        "viewers": len(channel.viewers),
        "bytes_per_second": channel.rate(),
        "delay_seconds": channel.delay,
        "viewer_lag_seconds": max((viewer.lag for viewer in channel.viewers), default=0),
        "viewers_behind": sum(viewer.behind for viewer in channel.viewers),
        "frames_total": counts.frames,
        "bytes_total": counts.bytes,
        "groups_total": counts.groups,
        "sessions_total": counts.sessions,
        "viewers_total": counts.viewers,
        "jumps_total": counts.jumps + sum(viewer.jumps for viewer in channel.viewers),
        "recording": channel.recording is not None,
    }
    for key, value in channel.statistics.items():
        if isinstance(value, int | float) and key.isidentifier() and key.isascii():
            figures[f"publisher_{key}"] = value
    return figures
