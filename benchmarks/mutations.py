"""Would the tests notice? Single lines of some rooms are deleted, one at a time, and the tests of the room are run.

    python benchmarks/mutations.py [--room atlas ...] [--count 30] [--seed 0] [--json FILE] [--list]

A line is a candidate when it is a whole statement inside a function whose deletion leaves no name undefined (those any
test that runs them would notice) and the file still parses; the only statement of a block becomes `pass`. The choice
depends on the seed and on the files alone, and is spread evenly over the rooms. A deletion is noticed when the
room's tests fail or do not end within ten times their own time. What is not noticed is printed with its line: either a
test is missing or the line is not needed. Results are kept in the JSON file, and the same command goes on with the
rest.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from hstmae.atomic import write_json

ROOT = Path(__file__).resolve().parents[1]
CONTAINER = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("tests/codec/test_container*.py"))
ROOMS = {  # folder of the package -> its tests
    "masks": ["tests/masks"],
    "atlas": ["tests/atlas"],
    "inference": ["tests/inference"],
    "evaluation": ["tests/evaluation"],
    "codec/container": ["tests/codec/test_reader.py", "tests/codec/test_golden.py", *CONTAINER],
    "restoration": ["tests/restoration", "tests/inference/test_predictor.py", "tests/inference/test_rgb_restore.py"],
}
KINDS = ast.AugAssign | ast.Expr | ast.Return | ast.Raise | ast.Continue | ast.Break
PATIENCE = 10  # times the tests' own time


@dataclass(frozen=True)
class Mutation:
    """A line to delete: its room, file below the package, number from 1, and text."""

    room: str
    file: str
    line: int
    text: str


def candidates(source: str) -> list[int]:
    """Numbers (from 1) of the lines that are statements of one line, whose deletion leaves no name undefined."""
    found = set()
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    for function in functions:
        known = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
        for node in sorted((n for n in ast.walk(function) if isinstance(n, ast.stmt)), key=lambda n: n.lineno):
            if isinstance(node, ast.Assign):
                names = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
                stored = {n for t in node.targets for n in names if not isinstance(t, ast.Subscript | ast.Attribute)}
                useful = stored <= known
                known |= stored
            else:
                docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                useful = isinstance(node, KINDS) and not docstring
            if useful and node.lineno == node.end_lineno and without(source, node.lineno) is not None:
                found.add(node.lineno)
    return sorted(found)


def without(source: str, number: int) -> str | None:
    """The source without a line, which becomes `pass` where it is the only one of its block; None if neither parses."""
    lines = source.splitlines(keepends=True)
    indent = lines[number - 1][: len(lines[number - 1]) - len(lines[number - 1].lstrip())]
    for instead in ([], [f"{indent}pass\n"]):
        changed = "".join([*lines[: number - 1], *instead, *lines[number:]])
        try:
            ast.parse(changed)
        except SyntaxError:
            continue
        return changed
    return None


def choose(rooms: list[str], count: int, seed: int) -> list[Mutation]:
    """`count` mutations, the rooms in turn."""
    chosen: list[Mutation] = []
    every: dict[str, list[Mutation]] = {}
    for room in rooms:
        found = []
        for path in sorted((ROOT / "hstmae" / room).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            name = path.relative_to(ROOT / "hstmae").as_posix()
            found += [Mutation(room, name, n, source.splitlines()[n - 1].strip()) for n in candidates(source)]
        random.Random(f"{seed} {room}").shuffle(found)
        every[room] = found
    while len(chosen) < count and any(every.values()):
        chosen += [every[room].pop() for room in rooms if every[room]]
    return chosen[:count]


def passes(checkout: Path, tests: list[str], limit: float | None) -> bool:
    """Whether the tests pass in time."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--room", nargs="+", choices=ROOMS, default=list(ROOMS), help="folders of the package (all)")
    parser.add_argument("--count", type=int, default=30, help="deletions in all (30)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here, and go on from there")
    parser.add_argument("--list", action="store_true", help="print what would be deleted, and run nothing")
    args = parser.parse_args()
    mutations = choose(args.room, args.count, args.seed)
    if args.list:
        for m in mutations:
            print(f"{m.file}:{m.line}: {m.text}")
        return 0
    results: dict[str, bool] = {}
    if args.json and args.json.exists():
        results = {r["key"]: r["noticed"] for r in json.loads(args.json.read_text())["mutations"]}
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "out", "runs", "*.egg-info", "build")
        shutil.copytree(ROOT, checkout, ignore=ignored, symlinks=True)
        limits: dict[str, float] = {}
        for m in tqdm(mutations, unit="line", file=sys.stderr):
            key = f"{m.file}:{m.text}:{m.line}"
            if key in results:
                continue
            if m.room not in limits:
                began = time.monotonic()
                if not passes(checkout, ROOMS[m.room], None):
                    print(f"the tests of {m.room} fail without any change", file=sys.stderr)
                    return 2
                limits[m.room] = PATIENCE * (time.monotonic() - began)
            path = checkout / "hstmae" / m.file
            source = path.read_text(encoding="utf-8")
            changed = without(source, m.line)
            assert changed is not None
            path.write_text(changed, encoding="utf-8")
            results[key] = not passes(checkout, ROOMS[m.room], limits[m.room])
            path.write_text(source, encoding="utf-8")
            if not results[key]:
                print(f"not noticed: {m.file}:{m.line}: {m.text}", flush=True)
            if args.json:
                rows = [{**asdict(n), "key": k, "noticed": results[k]} for n in mutations
                        if (k := f"{n.file}:{n.text}:{n.line}") in results]  # fmt: skip
                write_json(args.json, {"seed": args.seed, "mutations": rows})
    noticed = sum(results.values())
    print(f"{noticed} of {len(results)} deletions noticed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
