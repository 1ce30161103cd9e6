"""How fast `restore` and `evaluate` are: CPU seconds of one thread, and a long session on all cores.

    python benchmarks/restore_speed.py [INPUT] [--long FRAMES] [--against CHECKOUT] [--json FILE]

INPUT are recordings in smbdataset layout; the bundled sample session by default. Each figure is of a process of its own
(user and system time), the best of --rounds: other programs on the machine only make them slower.

* restore: INPUT under tubes of 90 %, state full, with all that the command does, and without its start (Python,
  PyTorch, the model, looking through the folder);
* evaluate: clips of the INPUT, without start;
* --long: INPUT, repeated to so many frames, restored by a process per core: frames a second by the clock, CPU seconds,
  and in each quarter of the run the largest memory of all its processes together.

--against measures another checkout of this program in turns with this one, and prints how many times faster this is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
RATIO, SEED, GAP = 0.9, 1, 100  # of the mask; frame numbers left out between two rounds of the input
EVERY = 0.5  # seconds between two looks at the memory
Row = dict[str, Any]


def _restore(source: Path) -> Row:
    """In a process of its own: CPU seconds until the first frame is read, and after it."""
    import hstmae.inference.job as job
    from hstmae.cli import main

    began, whole = [], job.restore_footage

    def timed(*args: Any, **options: Any) -> Any:
        began.append(time.process_time())
        return whole(*args, **options)

    job.restore_footage = timed
    with tempfile.TemporaryDirectory() as folder:
        out, report = Path(folder) / "out", Path(folder) / "report.json"
        words = ["restore", str(source), "--mask", f"tube:{RATIO}:{SEED}", "--state", "full"]
        words += ["--checkpoint", "hst-mae-nano", "--out", str(out), "--json", str(report)]
        if main(words):
            raise SystemExit("restore failed")
        told = json.loads(report.read_text())
    kept = {key: told[key] for key in ("frames", "psnr_masked", "exact_match")}
    return {**kept, "start": began[0], "work": time.process_time() - began[0]}


def _evaluate(source: Path, clips: int) -> Row:
    """In a process of its own: CPU seconds of measuring clips; the first one, which warms up, is not counted."""
    from hstmae.commands.evaluate import opened
    from hstmae.data.clips.dataset import ClipDataset
    from hstmae.evaluation.evaluate import EvaluateOptions, evaluate
    from hstmae.inference.loading import load

    model = load("hst-mae-nano")
    with opened(source, model.game.name) as store:
        data = ClipDataset(store, clip=16, stride=1, crop=0)
        evaluate(model, data, EvaluateOptions(clips=1, seed=SEED))
        begun = time.process_time()
        report = evaluate(model, data, EvaluateOptions(clips=clips, seed=SEED))
    spent = time.process_time() - begun
    return {"clips": report["clips"], "work": spent, "psnr_masked": report["psnr_masked"], "ssim": report["ssim"]}


def measured(tree: Path, job: str, source: Path, number: int) -> Row:
    """One job in a process of its own, on one thread, with the program in `tree`."""
    told = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}
    words = [sys.executable, __file__, str(source), "--job", job, "--number", str(number)]
    done = subprocess.run(words, env=told, cwd=tree, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def best(trees: list[Path], job: str, source: Path, rounds: int, number: int = 0) -> list[Row]:
    """The fastest round of each tree; they take turns."""
    rows: list[list[Row]] = [[] for _ in trees]
    for _ in range(rounds):
        for found, tree in zip(rows, trees, strict=True):
            found.append(measured(tree, job, source, number))
    return [min(found, key=lambda row: row.get("start", 0) + row["work"]) for found in rows]


def _compared(trees: list[Path], source: Path, rounds: int, clips: int) -> dict[str, Any]:
    """Measure `restore` and `evaluate` of each tree, and say how they compare."""
    restored = best(trees, "restore", source, rounds)
    for name, row in zip(("this", "against"), restored, strict=False):
        whole = row["frames"] / (row["start"] + row["work"])
        print(
            f"restore, {name}: {whole:.1f} frames/CPU-s, without start {row['frames'] / row['work']:.1f} (start "
            f"{row['start']:.2f} s); {row['psnr_masked']:.2f} dB, {row['exact_match']:.3%} exact"
        )
    rated = best(trees, "evaluate", source, rounds, clips)
    for name, row in zip(("this", "against"), rated, strict=False):
        print(f"evaluate, {name}: {row['clips'] / row['work']:.2f} clips/CPU-s; {row['psnr_masked']:.2f} dB")
    if len(trees) > 1:
        (new, old), (fast, slow) = restored, rated
        spent = [row["start"] + row["work"] for row in (old, new)]
        print(
            f"this is {spent[0] / spent[1]:.2f} times as fast in restore, {old['work'] / new['work']:.2f} without "
            f"start, {slow['work'] / fast['work']:.2f} in evaluate"
        )
    return {"restore": restored, "evaluate": rated}


def chained(source: Path, folder: Path, frames: int) -> None:
    """A session of so many frames: the pictures of `source` again and again, by links."""
    files = sorted(source.rglob("*.png"), key=lambda path: (path.parent, _number(path)))
    for n in range(frames):
        turn, k = divmod(n, len(files))
        number = turn * (len(files) + GAP) + k
        os.symlink(files[k].resolve(), folder / f"chain_00000000_e0_1-1_f{number}_a0_2026-01-01_12-00-00.cut.png")


def _number(path: Path) -> int:
    found = re.search(r"_f(\d+)_", path.name)
    return int(found.group(1)) if found else 0


def long_session(source: Path, frames: int) -> Row:
    """A session of `frames` frames, restored by the command as users call it."""
    with tempfile.TemporaryDirectory() as folder:
        session, out = Path(folder) / "session", Path(folder) / "out"
        session.mkdir()
        chained(source, session, frames)
        words = [sys.executable, "-m", "hstmae", "restore", str(session), "--mask", f"tube:{RATIO}:{SEED}"]
        words += ["--state", "full", "--checkpoint", "hst-mae-nano", "--out", str(out)]
        before, clock = os.times(), time.monotonic()
        process = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(HERE)}, stderr=subprocess.DEVNULL)
        held: list[int] = []
        watch = threading.Thread(target=_watch, args=(process, held), daemon=True)
        watch.start()
        if process.wait():
            raise SystemExit("restore failed")
        after, clock = os.times(), time.monotonic() - clock
        watch.join()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    quarters = [held[len(held) * k // 4 : max(len(held) * (k + 1) // 4, 1)] for k in range(4)]
    return {
        "frames": frames,
        "frames_per_s": frames / clock,
        "frames_per_cpu_s": frames / spent,
        "mb_by_quarter": [round(max(part, default=0) / 2**20) for part in quarters],
    }


def _watch(process: subprocess.Popen[bytes], held: list[int]) -> None:
    """Note the memory of a process and of its children now and then, until it ends. Linux only: else nothing."""
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    while process.poll() is None:
        total = 0
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = entry.read_text().rsplit(") ", 1)[1].split()
            except (OSError, IndexError):
                continue
            if entry.parent.name == str(process.pid) or words[1] == str(process.pid):
                total += int(words[21]) * page
        held.append(total)
        time.sleep(EVERY)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sample = HERE / "hstmae" / "bundled" / "samples" / "sample_session"
    parser.add_argument("input", nargs="?", type=Path, default=sample, help="recordings in smbdataset layout")
    parser.add_argument("--rounds", type=int, default=3, help="0 leaves out all but --long")
    parser.add_argument("--clips", type=int, default=4, help="of evaluate")
    parser.add_argument("--long", type=int, default=0, metavar="FRAMES", help="36000 are ten minutes; 0 = leave it out")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another version, its kernels compiled")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--job", choices=("restore", "evaluate"), help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job is not None:
        row = _restore(args.input) if args.job == "restore" else _evaluate(args.input, args.number)
        print(json.dumps(row))
        return
    trees = [HERE, *([] if args.against is None else [args.against.resolve()])]
    result = _compared(trees, args.input, args.rounds, args.clips) if args.rounds else {}
    if args.long:
        result["long"] = row = long_session(args.input, args.long)
        held = ", ".join(f"{mb:,}" for mb in row["mb_by_quarter"])
        print(
            f"long session: {row['frames']} frames at {row['frames_per_s']:.1f} frames/s on {os.cpu_count()} cores, "
            f"{row['frames_per_cpu_s']:.1f} frames/CPU-s; memory {held} MB by quarters"
        )
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
