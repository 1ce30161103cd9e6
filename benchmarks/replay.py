"""What a console at both ends is worth: bytes of whole files by the distance of key data, speed, and disturbances.

    python benchmarks/replay.py INPUT --rom FILE [--gops 64,1024,16384] [--disturbed 1000] [--frames 16]
                                [--seed 0] [--json FILE]

INPUT is whatever `hstmae encode` takes. Each file is written by one process, then decoded and compared with the hashes
of what went in; times are CPU time of one core, reading the input included in encoding. Bytes count the whole file, the
looks of recordings' files included. `--disturbed N`: N clips are taken at random and one of DISTURBANCES is done to
each; it has to come back exactly. Then as many streams are damaged, or decoded with another ROM: exact or refused.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from data import hardware
from hstmae.atomic import write_json
from hstmae.codec.container.description import REPLAY_STREAM
from hstmae.codec.container.gop import Gop
from hstmae.codec.container.group_chunks import GopParts, content_hash
from hstmae.codec.jobs.encode_many import archive
from hstmae.codec.jobs.inputs import find_input
from hstmae.codec.jobs.tasks import Settings
from hstmae.codec.replay.player import ReplayPlayer
from hstmae.codec.replay.profile import ReplayProfile
from hstmae.codec.session.encoder import description_of
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.verifying import describe
from hstmae.data.sources.video import VideoOptions
from hstmae.errors import CodecError, RomError

Clip = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # frames, memory, buttons, numbers


def sizes(source: Path, rom: Path, gop: int, out: Path) -> dict[str, Any]:
    """Write a file with this distance of key data, and read it again."""
    settings = Settings("replay", (("rom", str(rom)), ("spacing", gop)), gop)
    start = time.process_time()
    done = archive(find_input(source, None, VideoOptions()), out, settings, workers=1, overwrite=True)
    encoded = time.process_time() - start
    report = describe(out)
    start, wrong = time.process_time(), []
    with HstReader(out, rom=rom) as reader:
        for position, entry in enumerate(reader.entries):
            wrong += [problem for k in range(len(entry.gops)) if (problem := reader.groups.check(position, k))]
    decoded = time.process_time() - start
    return {
        "gop": gop,
        "frames": done.frames,
        "bytes": done.bytes,
        "bytes_per_frame": done.bytes / done.frames,
        "streams": {name: size / done.frames for name, size in report["streams"].items()},
        "predicted": done.predicted_frames,
        "encode_ms": 1000 * encoded / done.frames,
        "decoded_per_second": done.frames / decoded,
        "wrong": wrong,
    }


def _poked(clip: Clip, random: np.random.Generator) -> Clip:
    memory = clip[1].copy()
    for _ in range(random.integers(1, 4)):
        memory[random.integers(len(memory)), random.integers(memory.shape[1])] ^= random.integers(
            1, 256, dtype=np.uint8
        )
    return clip[0], memory, clip[2], clip[3]


def _dropped(clip: Clip, random: np.random.Generator) -> Clip:
    """Frames are missing; the numbers tell of it or not."""
    at = int(random.integers(1, len(clip[0]) - 3))
    gone = slice(at, at + int(random.integers(1, 3)))
    frames, memory, buttons, numbers = (np.delete(part, gone, 0) for part in clip)
    return frames, memory, buttons, numbers if random.random() < 0.5 else np.arange(len(frames), dtype=np.int32)


def _swapped(clip: Clip, random: np.random.Generator) -> Clip:
    buttons = clip[2].copy()
    a, b = random.integers(len(buttons), size=2)
    buttons[a], buttons[b] = buttons[b], buttons[a] ^ np.uint8(1 << random.integers(8))
    return clip[0], clip[1], buttons, clip[3]


def _repeated(clip: Clip, random: np.random.Generator) -> Clip:
    at = random.integers(1, len(clip[0]))
    frames, memory, buttons = (np.insert(part, at, part[at - 1], 0) for part in clip[:3])
    return frames, memory, buttons, np.arange(len(frames), dtype=np.int32)


def _lagging(clip: Clip, random: np.random.Generator) -> Clip:
    """Memory belongs to the next picture, or to the one before."""
    return np.roll(clip[0], random.choice([-1, 1]), 0), *clip[1:]


def _painted(clip: Clip, random: np.random.Generator) -> Clip:
    frames = clip[0].copy()
    y, x = random.integers(200, size=2)
    frames[random.integers(len(frames)), y : y + random.integers(1, 40), x : x + 30] = random.integers(64)
    return frames, *clip[1:]


DISTURBANCES: tuple[Callable[[Clip, np.random.Generator], Clip], ...] = (
    _poked, _dropped, _swapped, _repeated, _lagging, _painted,
)  # fmt: skip


def disturbed(coded: Path, rom: Path, count: int, frames: int, seed: int) -> dict[str, Any]:
    """See the module; `coded` is a file of `sizes`."""
    random, tally, size = np.random.default_rng(seed), Counter[tuple[str, str]](), Counter[str]()
    other = coded.with_name("other.nes")
    other.write_bytes(rom.read_bytes()[:-1] + bytes([rom.read_bytes()[-1] ^ 1]))
    with HstReader(coded, rom=rom) as reader:
        profile = ReplayProfile(reader.episodes()[0].game, rom, spacing=frames)
        places = [(k, t) for k, e in enumerate(reader.entries) for t in range(0, e.frames - frames, frames)]
        chosen = sorted(places[k] for k in random.integers(len(places), size=count))
        for n, (position, first) in enumerate(chosen):
            part = reader.read(position, range(first, first + frames))
            assert part.state is not None and part.actions is not None
            change = DISTURBANCES[n % len(DISTURBANCES)]
            clip = change((part.frames, part.state, part.actions, part.frame_numbers), random)
            gop = Gop(clip[0], part.palette, clip[1], clip[2])
            session = profile.session(part.level)
            streams = session.encode(gop, clip[3])
            name = change.__name__.lstrip("_")
            size[name] += sum(map(len, streams.values()))
            tally[name, _outcome(profile, part.game, gop, clip[3], streams)] += 1
            if REPLAY_STREAM not in streams:
                continue
            data = bytearray(streams[REPLAY_STREAM])
            for _ in range(random.integers(1, 4)):
                data[random.integers(len(data))] = random.integers(256)
            streams[REPLAY_STREAM] = bytes(data)
            tally["damaged", _outcome(profile, part.game, gop, clip[3], streams)] += 1
    with HstReader(coded, rom=other) as reader:
        try:
            reader[0]
            tally["other ROM", "WRONG"] += 1
        except RomError:
            tally["other ROM", "refused"] += 1
    return {
        "counts": {f"{kind}: {what}": n for (kind, what), n in sorted(tally.items())},
        "bytes_per_frame": {name: total * len(DISTURBANCES) / count / frames for name, total in size.items()},
    }


def _outcome(profile: ReplayProfile, game: str, gop: Gop, numbers: np.ndarray, streams: dict[str, bytes]) -> str:
    """Whether streams decode to a group: "exact", "refused" or "WRONG"."""
    assert gop.state is not None
    parts = GopParts(numbers, streams, content_hash(gop, numbers))
    description = description_of(
        profile, frame=gop.frames[0], palette=gop.palette, state=gop.state[0], action=0, name="x", game=game, fps=60.0
    )
    try:
        if REPLAY_STREAM in streams:
            back = ReplayPlayer(profile, description, lambda k: parts, lambda k: False, 1 << 24).group(0)
        else:
            back = profile.decode(streams, gop.shape)
    except CodecError:
        return "refused"
    return "exact" if content_hash(back, numbers) == parts.digest else "WRONG"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--rom", type=Path, required=True)
    parser.add_argument("--gops", default="64,1024,16384")
    parser.add_argument("--disturbed", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=16, help="of a clip that is disturbed")
    parser.add_argument("--seed", type=int, default=0, help="of the clips and what is done to them")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    os.environ["HSTMAE_ROM"] = str(args.rom)  # where the input was coded with it as well
    report: dict[str, Any] = {"hardware": hardware(), "files": []}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "x.hst"
        for gop in map(int, args.gops.split(",")):
            one = sizes(args.input, args.rom, gop, out)
            report["files"].append(one)
            shown = ", ".join(f"{name} {size:.2f}" for name, size in sorted(one["streams"].items()))
            print(f"keys every {gop:>6}: {one['bytes_per_frame']:.3f} bytes/frame ({shown})", end=", ")
            print(f"encode {one['encode_ms']:.1f} ms, decode {one['decoded_per_second']:.0f}/s", end=", ")
            print(f"{len(one['wrong'])} groups wrong", flush=True)
        if args.disturbed:
            report["disturbed"] = disturbed(out, args.rom, args.disturbed, args.frames, args.seed)
            for name, value in report["disturbed"]["counts"].items():
                print(f"{name} {value}")
            print({name: round(value, 1) for name, value in report["disturbed"]["bytes_per_frame"].items()})
    if args.json:
        write_json(args.json, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
