"""All methods on all clips, one after the other in one process, and the means that a table shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..codec.film.quality import NAMES
from ..errors import DataError
from . import general, lossy, own, video
from .clips import Clip
from .lossy import Point
from .measuring import EACH, OWN, PICTURES, WHOLE, Method, Result, Unavailable, machine

PROFILES = own.NAMES
PEERS = (*general.NAMES, *video.NAMES)
CODECS = tuple(NAMES)


@dataclass(frozen=True)
class Wanted:
    """What is measured.

    Attributes:
        profiles, peers: by name.
        gops: frames from one place where decoding can start to the next; 0 = at the beginning alone. The first one
            counts for what is lossy.
        qualities: PSNR in dB that lossy codecs are asked for; none = they are left out.
        stride: every n-th frame for lossy codecs.
        codecs: of films that are coded anew.
        means: what some of our profiles need.
        lossless: measure what is lossless, too.
    """

    profiles: tuple[str, ...] = PROFILES
    peers: tuple[str, ...] = PEERS
    gops: tuple[int, ...] = (192,)
    qualities: tuple[float, ...] = ()
    stride: int = 1
    codecs: tuple[str, ...] = CODECS
    means: own.Means = field(default_factory=own.Means)
    lossless: bool = True


Key = tuple[str, str, str, str]


def methods_of(clip: Clip, wanted: Wanted) -> list[Method]:
    """Without loss, ours first."""
    found = list(own.methods(clip, wanted.gops, wanted.profiles, wanted.means))
    found += general.methods(clip, wanted.gops, tuple(p for p in wanted.peers if p in general.NAMES))
    return found + list(video.methods(clip, wanted.gops, tuple(p for p in wanted.peers if p in video.NAMES)))


def measure_all(
    clips: list[Clip], wanted: Wanted, progress: Callable[[str, int, int], object] = lambda name, done, total: None
) -> dict[str, Any]:
    """Everything that is wanted of these clips, decoded again and compared.

    Args:
        progress: called with the name of what is measured next, and how many measurements are done, and there are.
    Returns:
        JSON values. `clips`, `original_bytes_per_frame`, `lossless` (a row per method, means over all clips), `lossy`,
        `against` (ours by the best of the others), `left_out` (method and why).
    Raises:
        Mismatch: something of ours does not come back. DataError: nothing at all could be measured.
    """
    exact = wanted.lossless
    todo = [(number, method) for number, clip in enumerate(clips) for method in methods_of(clip, wanted) if exact]
    thin = [clip if clip.film is not None else clip.every(wanted.stride) for clip in clips] if wanted.qualities else []
    several = list(
        lossy.methods(
            thin, wanted.gops[0], wanted.qualities, wanted.profiles, wanted.peers, wanted.codecs, wanted.means
        )
        if thin
        else []
    )
    total, done = len(todo) + len(several) * len(thin), 0
    found: dict[Key, dict[int, Result]] = {}
    left_out = {k: v for clip in clips for k, v in own.missing(clip, wanted.profiles, wanted.means).items()}
    for number, method in todo:
        progress(method.name, done, total)
        try:
            found.setdefault(method.key, {})[number] = method.run()
        except Unavailable as why:
            left_out.setdefault(f"{method.name} of {method.given}", str(why))
        done += 1
    lossy_rows: list[dict[str, Any]] = []
    snap = all(clip.index is not None for clip in thin)
    for several_method in several:
        points: list[list[Point]] = []
        for clip in thin:
            progress(several_method.name, done, total)
            try:
                points.append(several_method.run(clip))
            except Unavailable as why:
                left_out.setdefault(several_method.name, str(why))
            done += 1
        if len(points) == len(thin):
            lossy_rows += lossy.rows_of(several_method, points, wanted.qualities, snap)
    progress("", total, total)
    rows = [_mean(key, list(results.values()), clips) for key, results in found.items() if len(results) == len(clips)]
    for key, results in found.items():
        if 0 < len(results) < len(clips):
            left_out.setdefault(
                f"{key[0]} of {key[2]}", f"it could be measured on {len(results)} of {len(clips)} clips"
            )
    if not rows and not lossy_rows:
        raise DataError("nothing could be measured: " + "; ".join(f"{k}: {v}" for k, v in left_out.items()))
    return {
        "machine": machine(),
        "clips": [_about(clip) for clip in clips],
        "original_bytes_per_frame": _originals(clips, rows),
        "gops": list(wanted.gops),
        "stride": wanted.stride,
        "lossless": rows,
        "against": against(rows),
        "lossy": lossy_rows,
        "left_out": [{"method": name, "why": why} for name, why in left_out.items()],
    }


def _about(clip: Clip) -> dict[str, Any]:
    h, w = clip.episode.frames.shape[1:3]
    return {"name": clip.episode.name, "game": clip.episode.game, "frames": len(clip), "width": w, "height": h,
            "colours": clip.colours, "holds": [PICTURES, *clip.holds]}  # fmt: skip


def _mean(key: Key, results: list[Result], clips: list[Clip]) -> dict[str, Any]:
    """Bytes and milliseconds a frame over all clips; the worst PSNR."""
    frames = sum(r.frames or len(clip) for r, clip in zip(results, clips, strict=True))
    worst = [r.psnr for r in results if r.psnr is not None]
    return {
        "method": key[0],
        "holds": key[1],
        "given": key[2],
        "access": key[3],
        "psnr": min(worst) if worst else None,
        "bytes_per_frame": sum(r.bytes for r in results) / frames,
        "encode_ms": 1000 * sum(r.encode for r in results) / frames,
        "decode_ms": 1000 * sum(r.decode for r in results) / frames,
    }


def _originals(clips: list[Clip], rows: list[dict[str, Any]]) -> dict[str, float]:
    """Bytes a frame of the pictures as they are."""
    frames = sum(map(len, clips))
    pixels = sum(clip.episode.frames[..., :1].size if clip.episode.palette is None else clip.episode.frames.size
                 for clip in clips) / frames  # fmt: skip
    found = {"RGB": 3 * pixels}
    if all(clip.index is not None for clip in clips):
        found["index"] = pixels
    for row in rows:
        if row["method"] == "PNG":
            found["PNG"] = row["bytes_per_frame"]
    return found


def against(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Our lossless rows of pictures alone, by the smallest of the others that keep pictures with the same access."""
    found = []
    others = [row for row in rows if row["holds"] == PICTURES and not row["method"].startswith(OWN)]
    for row in rows:
        if not row["method"].startswith(OWN) or row["holds"] != PICTURES or row["psnr"] is not None:
            continue
        able = [o for o in others if o["access"] in (row["access"], EACH) or row["access"] == WHOLE]
        said: dict[str, Any] = {"method": row["method"], "access": row["access"]}
        for what, some in (("RGB", [o for o in able if o["given"] != "index"]), ("all", able)):
            if some:
                best = min(some, key=lambda o: float(o["bytes_per_frame"]))
                size = best["bytes_per_frame"]
                name = f"{best['method']} of {best['given']}"
                said[what] = {"best": name, "bytes_per_frame": size, "ratio": row["bytes_per_frame"] / size}
        found.append(said)
    return found
