"""Our own profiles: whole .hst files, container and descriptions included, read again and compared."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..codec.container.chunks import MAX_GOP
from ..codec.container.gop import Profile
from ..codec.film.again import group_psnr
from ..codec.jobs.encode_many import archive
from ..codec.jobs.inputs import Found
from ..codec.jobs.tasks import Settings
from ..codec.session.profiles import make_profile
from ..codec.session.reader import HstReader
from ..codec.session.writer import HstWriter
from ..data.episode import Episode
from ..errors import HstError
from ..film.reading import FilmReader
from .clips import Clip
from .measuring import OWN, PICTURES, Method, Mismatch, Result, Unavailable, access_of, decibels, error_of, timed

NAMES = ("lossless", "live", "neural", "replay", "video")
_QUALITY = 38.5  # dB of the neural profile, where none is asked for


@dataclass(frozen=True)
class Means:
    """What profiles need besides footage.

    Attributes:
        checkpoint: codec model of the neural profile; None = the bundled one.
        rom: that the replay profile's console runs; None = no such row.
    """

    checkpoint: str | None = None
    rom: Path | None = None


def methods(clip: Clip, gops: tuple[int, ...], profiles: tuple[str, ...], means: Means) -> Iterator[Method]:
    """Each of these profiles on all that the clip has, and those that need no memory on its pictures alone."""
    every = ", ".join((PICTURES, *clip.holds))
    for gop in gops:
        frames = min(gop or MAX_GOP, MAX_GOP)
        access = access_of(gop if len(clip) <= frames else frames)
        for name in profiles:
            if name in ("lossless", "live"):
                for holds in dict.fromkeys((every, PICTURES)):
                    run = partial(measured, clip, name, frames, holds == every)
                    yield Method(f"{OWN} {name}", holds, _given(clip), access, run)
            if name == "neural" and clip.episode.palette is not None and clip.episode.state is not None:
                run = partial(neural, clip, frames, _QUALITY, means)
                yield Method(f"{OWN} neural, {_QUALITY:g} dB", every, _given(clip), access, run)
            if name == "replay" and means.rom is not None:
                run = partial(measured, clip, name, frames, True, {"rom": str(means.rom), "spacing": gop or MAX_GOP})
                yield Method(f"{OWN} replay, with the ROM", every, _given(clip), access, run)
    if "video" in profiles and clip.film is not None:
        yield Method(f"{OWN} video, as it is", "the film's file", "film", "key frames", partial(film, clip))


def missing(clip: Clip, profiles: tuple[str, ...], means: Means) -> dict[str, str]:
    """Profiles that this clip does not allow, and why."""
    found = {}
    if "neural" in profiles and (clip.episode.palette is None or clip.episode.state is None):
        found["neural"] = "it draws pictures of a palette from a game's memory, and there is none"
    if "replay" in profiles and means.rom is None:
        found["replay"] = "it needs the game's ROM (--rom)"
    if "video" in profiles and clip.film is None:
        found["video"] = "this is no film"
    return {f"{OWN} {name}": why for name, why in found.items()}


def _given(clip: Clip) -> str:
    return "RGB" if clip.episode.palette is None else "index"


def measured(clip: Clip, name: str, gop: int, everything: bool = True, options: dict[str, Any] | None = None) -> Result:
    """A clip in a profile that loses nothing.

    Args:
        everything: memory and buttons, too.
        options: of the profile; the ROM is needed for reading, too.
    Raises:
        Unavailable: the profile is not to be had here. Mismatch: something does not come back.
    """
    kept = {} if everything else {"state": None, "actions": None}
    episode = replace(clip.episode, context=None, **kept)  # type: ignore[arg-type]
    options = options or {}
    rom = {"rom": options["rom"]} if "rom" in options else {}
    back, result = _there_and_back(_profile(name, episode.game, **options), episode, gop, rom)
    for part in ("frames", "state", "actions", "palette"):
        a, b = getattr(episode, part), getattr(back, part)
        if (a is None) != (b is None) or (a is not None and not np.array_equal(a, b)):
            raise Mismatch(f"{episode.name}: {part} do not come back from profile {name}: this is a defect")
    return result


def neural(clip: Clip, gop: int, quality: float, means: Means) -> Result:
    """A clip in the neural profile, memory and buttons included. Raises Unavailable."""
    back, result = drawn(clip, gop, quality, means)
    return replace(result, psnr=decibels(error_of(clip.rgb, back)))


def drawn(clip: Clip, gop: int, quality: float, means: Means) -> tuple[np.ndarray, Result]:
    """(what comes back, uint8 [T, H, W, 3]; what it takes). Raises Unavailable."""
    model = {} if means.checkpoint is None else {"checkpoint": means.checkpoint}
    profile = _profile("neural", clip.episode.game, quality=quality, **model)
    back, result = _there_and_back(profile, replace(clip.episode, context=None), gop, model)
    a, b = clip.episode.actions, back.actions
    same = (a is None) == (b is None) and (a is None or b is None or np.array_equal(a, b))
    if back.palette is None or len(back) != len(clip) or not same:
        raise Mismatch(f"{clip.episode.name}: frames or buttons do not come back from profile neural: this is a defect")
    return back.palette[back.frames], result


def _profile(name: str, game: str, **options: Any) -> Profile:
    """What is read once, such as tables, is read here, before anything is timed."""
    try:
        return make_profile(name, game, **options)
    except HstError as error:
        raise Unavailable(str(error)) from None


def _there_and_back(profile: Profile, episode: Episode, gop: int, reading: dict[str, Any]) -> tuple[Episode, Result]:
    """(what is read, what it takes). What a process reads or compiles once is done with the first frame, before."""
    if profile.name != "replay":
        _once(profile, episode.take(slice(0, 1)), gop, reading)
    return _once(profile, episode, gop, reading)


def _once(profile: Profile, episode: Episode, gop: int, reading: dict[str, Any]) -> tuple[Episode, Result]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.hst"

        def write() -> None:
            with HstWriter(path) as writer:
                writer.add(profile, episode, gop=gop)

        _, encoding = timed(write)
        with HstReader(path, **reading) as reader:
            back, decoding = timed(lambda: reader.episode(0))
        return back, Result(path.stat().st_size, encoding, decoding)


def film(clip: Clip) -> Result:
    """The whole film the clip is of, kept as it is. Raises Unavailable, Mismatch."""

    def check(path: Path, back: Path) -> float | None:
        if _sha256(path) != _sha256(back):
            raise Mismatch(f"{path}: does not come back byte for byte from profile video: this is a defect")
        return None

    return _film(clip, 0, {}, check)


def film_again(clip: Clip, gop: int, quality: float, codec: str) -> Result:
    """The whole film the clip is of, coded anew; `psnr` is that of its worst group, of its own samples.

    Raises:
        Unavailable: it is best kept as it is, or the encoder is not here. Mismatch: a group misses the quality.
    """

    def check(path: Path, back: Path) -> float | None:
        least = float(group_psnr(FilmReader(path), FilmReader(back), gop, lambda: None).min())
        if least < quality - 1e-6:
            raise Mismatch(f"{path}: a group has {least:.2f} dB of the {quality:g} that were asked for: a defect")
        return least

    return _film(clip, gop, {"quality": quality, "codec": codec}, check)


def _film(
    clip: Clip, gop: int, options: dict[str, Any], check: Callable[[Path, Path], float | None]
) -> Result:  # fmt: skip
    """Written, every frame of it read, and its file taken out again."""
    assert clip.film is not None
    source: Path = clip.film.path  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        path, back = Path(folder) / "x.hst", Path(folder) / f"back{source.suffix}"
        found = Found("video", clip.episode.game, [clip.film])
        settings = Settings("video", tuple(sorted(options.items())), gop or None)
        try:
            done, encoding = timed(lambda: archive(found, path, settings, workers=1))
        except HstError as error:
            raise Unavailable(str(error)) from None
        kept = next((str(p) for p in done.problems if "kept as it is" in str(p)), None)
        if kept is not None and options:
            raise Unavailable(kept.partition(": ")[2])
        with HstReader(path) as reader:
            count, decoding = timed(lambda: sum(1 for _ in reader.play(0)))
            if count != reader.frames(0):
                raise Mismatch(f"{source}: {count} of {reader.frames(0)} frames come back: this is a defect")
            kept_film = reader.groups.film(0)
            assert kept_film is not None
            back.write_bytes(b"".join(kept_film.file()))
        return Result(path.stat().st_size, encoding, decoding, check(source, back), count)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
