"""How much of its work a verb does again after kill -9 and Ctrl-C at random moments, and whether its result is alike.

    python benchmarks/interrupted.py [--moments 20] [--verbs restore,encode] [--seed 0] [--work DIR]

Each verb runs once undisturbed, then once more with an end put to it `--moments` times, by SIGKILL and SIGINT in turn,
at moments drawn between its start and its end; each time the same command is given again. Compared is every byte of the
result. "again" is the share of all frames (steps, of training) that the progress bar called finished when the end came
and that are not kept; what was just being made (a group of 64 frames of a session, of 16 in a store, a clip of 16)
comes on top. "film" is one film of `--frames` frames, "one" a single episode of as many.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from hstmae.bundled import SAMPLES

ORPHANS_MAY_LIVE = 5.0  # seconds that worker processes have to notice that the main one is gone
VARYING = {"run.yaml", "metrics.jsonl", "last.pth", "previous.pth", "summary.json"}  # hold times, speeds and dates


@dataclass
class Verb:
    """A job to be interrupted.

    Attributes:
        command: words after `hstmae`, with OUT for the output.
        out: name of the output.
        kept: how many units of work what an interrupted run left in a folder holds.
        whole: whether the progress bar counts what was kept.
    """

    command: list[str]
    out: str
    kept: Callable[[Path], int]
    whole: bool
    again: list[int] = field(default_factory=list)


class Run:
    """One process of a verb, whose progress bar is read along."""

    def __init__(self, verb: Verb, folder: Path) -> None:
        words = [word.replace("OUT", str(folder / verb.out)) for word in verb.command]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.began, self.first, self.shown = time.monotonic(), 0.0, 0
        self.text = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hstmae", *words], env=environment, cwd=Path(__file__).parents[1],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        while piece := os.read(self.process.stderr.fileno(), 4096):
            self.text += piece.decode(errors="replace")
            for number, unit in re.findall(r"\|? ?([\d.]+)([kM]?)(?:/[\d.]+[kM]?|frame) ?\[", self.text[-500:])[-1:]:
                self.first = self.first or time.monotonic() - self.began
                self.shown = max(self.shown, int(float(number) * {"": 1, "k": 1e3, "M": 1e6}[unit]))

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self.reader.join()
        return True

    def end(self, number: int) -> None:
        """SIGKILL to the main process alone; SIGINT to all of them, as a terminal sends it."""
        (os.kill if number == signal.SIGKILL else os.killpg)(self.process.pid, number)
        self.wait()
        deadline = time.monotonic() + ORPHANS_MAY_LIVE
        while _alive(self.process.pid):
            if time.monotonic() > deadline:
                raise SystemExit(f"processes of {self.process.args!r} live on")
            time.sleep(0.05)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def content(folder: Path) -> dict[str, bytes]:
    """Every file that comes out alike each time."""
    found = [p for p in folder.rglob("*") if p.is_file() and p.name not in VARYING]
    files = {p.relative_to(folder).as_posix(): p for p in found if not p.name.startswith("events.out.")}  # by time
    return {name: path.read_bytes() for name, path in files.items()}


def journal(folder: Path) -> int:
    """Frames that a journal calls finished."""
    paths = folder.glob(".*.tmp-unfinished/.progress.jsonl")
    return sum(len(line.get("done", ())) for path in paths for line in _lines(path))


def groups(folder: Path) -> int:
    """Frames of a store, and of decoded groups that are kept (64 frames each) of what it does not hold."""
    finished = sum(1 for _ in folder.glob("*/episodes/[!.]*/episode.json"))
    kept = 64 * len([p for p in folder.glob(".*.tmp-unfinished/*.group") if int(p.name.split("-")[0]) >= finished])
    return max(stored(folder), stored(folder, begun=False) + kept)


def stored(folder: Path, begun: bool = True) -> int:
    """Frames of a store's finished episodes, and of those that are begun."""
    done = sum(json.loads(path.read_bytes())["frames"] for path in folder.glob("*/episodes/[!.]*/episode.json"))
    logs = folder.glob("*/episodes/.*.tmp-unfinished/.progress.jsonl") if begun else ()
    return done + sum(len(line.get("done", ())) for path in logs for line in _lines(path))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("}\n")]


def filmed(folder: Path) -> int:
    """Frames of a film that is kept as it is: half of them when it was looked at, half when it was cut up."""
    looked = sum(
        len(line.get("shown", ())) for p in folder.glob(".*-unfinished/*walk-AUTO.jsonl") for line in _lines(p)
    )
    return (looked + coded(folder)) // 2


def coded(folder: Path) -> int:
    """Frames in an unfinished .hst file."""
    from hstmae.codec.container.contents import read_contents
    from hstmae.errors import CodecError

    try:
        data = memoryview((folder / "out.hst.part").read_bytes())
        return sum(entry.frames for entry in read_contents(data).episodes)
    except (OSError, CodecError):
        return 0


def trained(folder: Path) -> int:
    from hstmae.errors import CheckpointError
    from hstmae.models.checkpoint import load_resume

    try:
        return int(load_resume(folder / "run", lambda _: None)[0]["step"])
    except CheckpointError:
        return 0


def write_film(path: Path, frames: int) -> None:
    """A film of the bundled session's pictures, over and over."""
    import av

    (sample,) = (SAMPLES / "sample_session").iterdir()
    pictures = [av.VideoFrame.from_image(Image.open(file).convert("RGB")) for file in sorted(sample.glob("*.png"))]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=60, options={"preset": "fast", "g": "60"})
        stream.width, stream.height, stream.pix_fmt = pictures[0].width, pictures[0].height, "yuv420p"
        for number in range(frames):
            frame = pictures[number % len(pictures)]
            frame.pts = None
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_session(folder: Path, frames: int) -> None:
    """The bundled session over and over, as one episode."""
    (sample,) = (SAMPLES / "sample_session").iterdir()
    target = folder / sample.name
    target.mkdir(parents=True)
    files = {int(re.search(r"_f(\d+)_", file.name)[1]): file for file in sample.glob("*.png")}  # type: ignore[index]
    for number in range(1, frames + 1):
        first = sorted(files)[(number - 1) % len(files)]
        shutil.copyfile(files[first], target / files[first].name.replace(f"_f{first}_", f"_f{number}_"))


def verbs(work: Path, scale: int, frames: int) -> dict[str, Verb]:
    """Jobs on `scale` copies of the bundled session, and on one film and one episode of `frames` frames."""
    (work / "film").mkdir()
    write_film(work / "film" / "film.mp4", frames)
    write_session(work / "one", frames)
    (sample,) = (SAMPLES / "sample_session").iterdir()
    for k in range(scale):
        target = work / "recordings" / sample.name.replace("_e0_", f"_e{k}_")
        target.mkdir(parents=True)
        for file in sample.glob("*.png"):
            shutil.copyfile(file, target / file.name.replace("_e0_", f"_e{k}_"))
    source = str(work / "recordings")
    for words in (["preprocess", "--input_dir", source, "--output_dir", str(work / "store")],
                  ["encode", source, str(work / "in.hst")]):  # fmt: skip
        subprocess.run([sys.executable, "-m", "hstmae", *words], check=True, capture_output=True)
    small = ["model.dims=[32,32,32,32]", "model.head_dim=16", "model.depths=[1,1,1,1]", "model.decoder_depth=1",
             "train.steps=400", "train.batch=2", "train.val_every=400", "data.clip=4", "data.crop=64"]  # fmt: skip
    film = str(work / "film")
    train = ["train", "--config", "configs/mae_nano.yaml", "--data", str(work / "store"), "--out", "OUT"]
    packed = str(work / "in.hst")
    return {
        "restore": Verb(["restore", source, "--mask", "tube:0.9:1", "--out", "OUT"], "restored", journal, True),
        "encode": Verb(["encode", source, "OUT"], "out.hst", coded, True),
        "decode png": Verb(["decode", packed, "OUT", "--to", "png"], "png", journal, True),
        "decode store": Verb(["decode", packed, "OUT", "--to", "store"], "store", groups, True),
        "encode film": Verb(["encode", film, "OUT"], "out.hst", filmed, True),
        "preprocess": Verb(["preprocess", "--input_dir", source, "--output_dir", "OUT"], "store", stored, True),
        "preprocess one": Verb(["preprocess", "--input_dir", str(work / "one"), "--output_dir", "OUT"], "store", stored,
                               True),
        "preprocess film": Verb(["preprocess", "--input_dir", film, "--output_dir", "OUT"], "store", stored, True),
        "record": Verb(["record", "--env", "ALE/Breakout-v5", "--frames", "200", "--episodes", "24", "--out", "OUT"],
                       "store", stored, True),
        "record one": Verb(["record", "--env", "ALE/Breakout-v5", "--frames", str(frames), "--out", "OUT"], "store",
                           stored, True),
        "train": Verb([*train, *(word for value in small for word in ("--set", value))], "run", trained, True),
    }  # fmt: skip


def interrupted(name: str, verb: Verb, work: Path, moments: int, rng: random.Random) -> str:
    """Interrupt a verb; returns its line of the table."""
    whole, broken = work / f"{name} whole", work / f"{name} broken"
    whole.mkdir()
    broken.mkdir()
    reference = Run(verb, whole)
    reference.wait()
    if reference.process.returncode:
        raise SystemExit(f"{name}: {reference.text}")
    total, lasted = reference.shown, time.monotonic() - reference.began
    start = reference.first
    ends, kept = 0, 0
    while ends < moments:
        run = Run(verb, broken)
        early = rng.random() < 0.15  # also while it begins
        while not early and not run.first and not run.wait(0.05):
            pass  # counted from when it begins to work, which takes more or less long
        if run.wait(rng.random() * (start if early else 2 * (lasted - start) / moments)):
            if run.process.returncode:
                raise SystemExit(f"{name}: {run.text}")
            for path in broken.iterdir():  # it came to its end before: once more from the beginning
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            kept = 0
            continue
        run.end(signal.SIGKILL if ends % 2 else signal.SIGINT)
        ends += 1
        done = run.shown + (0 if verb.whole or not run.shown else kept)
        kept, before = verb.kept(broken), kept
        verb.again.append(max(0, max(done, before) - kept))
    last = Run(verb, broken)
    last.wait()
    if last.process.returncode:
        raise SystemExit(f"{name}: {last.text}")
    left = sorted(path.name for path in broken.iterdir()) != [verb.out]
    same = content(whole) == content(broken) and not left
    mean, most = sum(verb.again) / len(verb.again) / total, max(verb.again) / total
    return f"| {name} | {total} in {lasted:.0f} s | {ends} | {mean:.1%} | {most:.1%} | {'yes' if same else 'NO'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--verbs", default="", help="names, comma-separated (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--copies", type=int, default=4, help="of the bundled session, to work on")
    parser.add_argument("--frames", type=int, default=1200, help="of the one film, and of the one episode")
    parser.add_argument("--work", type=Path, help="folder for what is made (default: a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        jobs = verbs(Path(folder), args.copies, args.frames)
        print("| verb | work | ends | again, mean | again, most | same bytes |\n|---|---|---|---|---|---|")
        for name in args.verbs.split(",") if args.verbs else jobs:
            rng = random.Random(f"{args.seed} {name}")
            print(interrupted(name, jobs[name], Path(folder), args.moments, rng), flush=True)


if __name__ == "__main__":
    main()
