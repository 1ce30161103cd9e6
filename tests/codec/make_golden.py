"""Makes tests/codec/golden anew: small files that every later version must decode to the same content.

    python tests/codec/make_golden.py

To be run when the format or a profile has changed on purpose, and then told in docs/file-format.md. Files of earlier
versions of the streams are only ever added to.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hstmae.atomic import write_json
from hstmae.bundled import SAMPLES
from hstmae.codec.container.chunks import END, INDEX, PREAMBLE_BYTES, scan_all
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.games import get_game

GOLDEN = Path(__file__).with_name("golden")
SAMPLE = SAMPLES / "sample_session"


def sample(frames: int) -> Episode:
    """The first frames of the bundled session."""
    (source,) = list_episodes(SAMPLE)
    found = [frame for frame, _ in zip(source.frames(lambda problem: None, {}), range(frames), strict=False)]
    return Episode(
        name=source.name,
        game="smb",
        frames=np.stack([f.pixels for f in found]),
        palette=found[0].palette,
        state=np.stack([f.state for f in found if f.state is not None]),
        context=None,
        actions=np.array([f.action for f in found], np.uint8),
        frame_numbers=np.array([f.number for f in found], np.int32),
        outcome=source.outcome,
        level=source.level,
    )


def colours() -> Episode:
    """A true-colour session of a gradient that moves, with gaps in its numbers."""
    y, x = np.mgrid[:12, :20]
    frames = [np.stack([(x * 9 + 3 * t) % 256, (y * 13 + t) % 256, (x * y) % 256], -1) for t in range(7)]
    return Episode(
        name="colours", game="generic", frames=np.stack(frames).astype(np.uint8), palette=None, state=None,
        context=None, actions=None, frame_numbers=np.array([0, 1, 2, 5, 6, 7, 9], np.int32), fps=30.0,
    )  # fmt: skip


def drawn(count: int) -> Episode:
    """A true-colour session of a few shapes in `count` colours, some of which are seen once."""
    y, x = np.mgrid[:24, :40]
    index = [(((x + 2 * t) // 5) ^ (y // 4)) % min(count, 40) for t in range(7)]
    for n in range(count):
        index[n % 7][n // 30 % 24, n % 30] = n
    n = np.arange(count)
    looks = np.stack([n * 37 % 256, n * 101 % 256, n // 256 * 9 + 3], -1).astype(np.uint8)
    return replace(colours(), name=f"drawn-{count}", frames=looks[np.stack(index)])


def noisy() -> Episode:
    """A true-colour session of a few shapes that disappear in grey noise and come back."""
    y, x = np.mgrid[:12, :20]
    noise = np.random.default_rng(0).integers(0, 120, (40, 12, 20, 1))
    noise[:16] = noise[32:] = 0
    shapes = np.stack([np.stack([(x + t) // 5 * 40, y // 4 * 50, (x ^ y) // 8 * 90], -1) for t in range(40)]) % 130
    n = np.arange(40, dtype=np.int32)
    return replace(colours(), name="noisy", frames=(shapes + noise).astype(np.uint8), frame_numbers=n)


def textured() -> Episode:
    """A true-colour session of a texture that moves, jumps back, and is noisy for a while."""
    r = np.random.default_rng(2)
    world = r.integers(0, 256, (16, 60, 3)) // (1 + np.arange(16)[:, None, None])
    frames = np.stack([world[:, 7 * t % 12 + t // 3 :][:, :24] for t in range(30)])
    frames[8] += r.integers(0, 20, (16, 24, 1))
    n = np.arange(30, dtype=np.int32)
    return replace(colours(), name="textured", frames=frames.clip(0, 255).astype(np.uint8), frame_numbers=n)


def blinking() -> Episode:
    """A true-colour session of a few shapes, some of which are drawn in every second picture, that moves once."""
    y, x = np.mgrid[:24, :40]
    index = np.stack([((x // 6 ^ y // 5) % 5) * 40 for _ in range(12)])
    index[::2, 5:20, 8:30] = (x * y % 7 * 9)[5:20, 8:30]
    index[8:] = np.roll(index[8:], 3, 2)
    frames = np.stack([index, 250 - index, index // 2], -1).astype(np.uint8)
    return replace(colours(), name="blinking", frames=frames, frame_numbers=np.arange(12, dtype=np.int32))


def atari() -> Episode:
    """A session in the colours of the Atari 2600, with its memory."""
    y, x = np.mgrid[:20, :32]
    frames = np.stack([((x + t) // 6 * 7 + y // 5 * 31) % 128 for t in range(12)]).astype(np.uint8)
    state = np.repeat(np.arange(12, dtype=np.uint8)[:, None], 128, 1) * (np.arange(128) % 5 == 0).astype(np.uint8)
    return Episode(
        name="ALE-Pong-v5_random_s1_n12", game="atari2600-pong", frames=frames,
        palette=get_game("atari2600-pong").palette,
        state=state, context=None, actions=np.arange(12, dtype=np.uint8) % 3,
        frame_numbers=np.arange(12, dtype=np.int32), fps=60.0,
    )  # fmt: skip


def pong(frames: int = 9) -> Episode:
    """A session of whole pictures of the Atari 2600, whose right half mirrors the left one, with three objects that are
    where the memory says."""
    game, random = get_game("atari2600-pong"), np.random.default_rng(3)
    state = np.zeros((frames, 128), np.uint8)
    state[:, [45, 46, 49]] = random.integers(60, 190, (frames, 3))
    state[:, [50, 51, 54]] = random.integers(60, 190, (frames, 3))
    state[frames // 2, 54] = 0  # the ball is away
    half = np.repeat(random.integers(0, 4, (21, 10), dtype=np.uint8) * 9, 10, 0).repeat(8, 1)
    pictures = np.repeat(np.concatenate([half, half[:, ::-1]], 1)[None], frames, 0)
    for t, boxes in enumerate(game.decode(state, None).boxes.tolist()):
        for region, x0, y0, x1, y1 in boxes:
            if region:
                pictures[t, y0:y1, x0:x1] = 40 + region
    return replace(
        atari(), frames=pictures, state=state, actions=np.arange(frames, dtype=np.uint8) % 3, name="pong",
        frame_numbers=np.arange(frames, dtype=np.int32),
    )  # fmt: skip


def contents() -> dict[str, tuple[list[Episode], int, dict[str, Any]]]:
    """Episodes, frames per group and profile with its options of each golden file."""
    whole = sample(20)
    bare = Episode(**{**vars(whole), "state": None, "actions": None, "name": "bare"})
    found: dict[str, tuple[list[Episode], int, dict[str, Any]]] = {}
    live = ("-live", "live", 2), ("-live-4", "live", 4)
    for ending, name, version in (("", "lossless", 1), ("-2", "lossless", 2), ("-4", "lossless", 4), *live):
        found[f"session{ending}"] = [whole], 8, {"name": name, "version": version}
        found[f"several{ending}"] = [bare, colours()], 16, {"name": name, "version": version}
    found["colours-5"] = [colours(), textured()], 64, {"name": "lossless", "version": 5}
    found["atari-5"] = [atari()], 8, {"name": "lossless", "version": 5}
    found["atari-6"] = [atari(), pong()], 8, {"name": "lossless", "version": 6}
    found["atari-live-6"] = [pong(4)], 8, {"name": "live", "version": 6}
    found["colours-7"] = [blinking(), drawn(12)], 64, {"name": "lossless", "version": 7}
    found["colours-3"] = [colours(), drawn(12), drawn(300), noisy()], 64, {"name": "lossless", "version": 3}
    return found


def digest(episode: Episode) -> str:
    running = hashlib.sha256()
    for array in (episode.frames, episode.state, episode.actions, episode.frame_numbers, episode.palette):
        running.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return running.hexdigest()


def body(path: Path) -> list[bytes]:
    """All chunks of a whole file but those that close it, of which small ones had an index once."""
    data = path.read_bytes()
    places, gaps = scan_all(memoryview(data), PREAMBLE_BYTES)
    assert not gaps, path
    return [data[at : at + header.size] for at, header in places if header.kind not in (INDEX, END)]


def write(path: Path, episodes: list[Episode], gop: int, profile: dict[str, Any]) -> None:
    with HstWriter(path) as writer:
        for episode in episodes:
            writer.add(make_profile(game=episode.game, **profile), episode, gop=gop)


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    expected = {}
    for name, (episodes, gop, profile) in contents().items():
        path = GOLDEN / f"{name}.hst"
        path.unlink(missing_ok=True)
        write(path, episodes, gop, profile)
        with HstReader(path) as reader:
            expected[name] = {
                "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "content_sha256": [digest(reader.episode(k)) for k in range(len(episodes))],
            }
        sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")
    write_json(GOLDEN / "expected.json", expected)


if __name__ == "__main__":
    main()
