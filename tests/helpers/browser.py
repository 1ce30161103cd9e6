"""What tests of the browser's part need: Node, and what Python's reader says about a file."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hstmae.codec.container.group_chunks import content_hash
from hstmae.codec.lossless.tables import FOLDER as TABLES
from hstmae.codec.session.reader import HstReader
from hstmae.errors import CodecError

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "hstmae" / "serving" / "static"
SCRIPTS = ROOT / "tests" / "serving"


def node(script: str, *arguments: object, stdin: str = "") -> list[Any]:
    """What a script of tests/serving prints: values in JSON, one a line. Skips where there is no Node."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("Node is not installed, which runs the browser's decoder without a browser")
    command = [program, str(SCRIPTS / script), str(STATIC), *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def decoded(paths: list[Path]) -> list[Any]:
    """What the browser's decoder makes of files: {"episodes": [{"name", "frames"}]} or {"error"}."""
    return node("decode.mjs", TABLES, *paths)


def frame_hashes(frames: Any, state: Any, actions: Any, numbers: Any) -> list[str]:
    """What decode.mjs prints of frames: uint8 [T, ...], uint8 [T, S] or None, uint8 [T] or [T, A] or None, int [T]."""
    found = []
    for t, number in enumerate(numbers.tolist()):
        parts = (b"-" if rows is None else rows[t].tobytes() for rows in (frames, state, actions))
        found.append(hashlib.sha256(b"".join(parts) + str(number).encode()).hexdigest())
    return found


def expected(path: Path) -> dict[str, Any]:
    """The same by Python's reader; {"error"} where any group of it is damaged, or has other content than it states."""
    try:
        with HstReader(path) as reader:
            episodes = []
            for position, description in enumerate(reader.episodes()):
                frames: list[str] = []
                for k in range(len(reader.entries[position].gops)):
                    gop, parts, _ = reader.groups.decode(position, k)
                    if parts.digest and content_hash(gop, parts.numbers) != parts.digest:
                        return {"error": "other content"}
                    frames += frame_hashes(gop.frames, gop.state, gop.actions, parts.numbers)
                episodes.append({"name": description.name, "frames": frames})
            return {"episodes": episodes}
    except CodecError as error:
        return {"error": str(error)}
