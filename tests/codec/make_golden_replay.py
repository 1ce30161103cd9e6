"""Makes tests/codec/golden/replays anew, with a program of our own: see make_golden.py.

python tests/codec/make_golden_replay.py
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import make_golden
import numpy as np
from nes_rom import session, write_rom

from hstmae.atomic import write_json
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode

GOLDEN = make_golden.GOLDEN / "replays"


def contents(rom: Path) -> list[Episode]:
    """A session with a gap, a changed byte, a changed picture and a wrong button; and one that no console made."""
    whole = session(rom, 30)
    state, frames, actions = whole.state.copy(), whole.frames.copy(), whole.actions.copy()
    state[4, 0x300] ^= 7
    frames[12, 100:120, 30:60] = 1
    actions[20] ^= 4
    kept = np.r_[:8, 11:30]
    changed = replace(whole, state=state, frames=frames, actions=actions, level="1-1").take(kept)
    random = np.random.RandomState(0).randint(0, 4, (3, 240, 256)).astype(np.uint8)
    random[:, 20:] = 1
    return [replace(changed, level=""), replace(whole.take(np.arange(3)), name="other", frames=random)]


def write(path: Path, rom: Path) -> None:
    with HstWriter(path) as writer:
        for episode in contents(rom):
            writer.add(make_profile("replay", "smb", rom=rom, spacing=14), episode, gop=7)


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    path = GOLDEN / "own.hst"
    path.unlink(missing_ok=True)
    with TemporaryDirectory() as folder:
        rom = write_rom(Path(folder) / "own.nes")
        write(path, rom)
        digests = [make_golden.digest(episode) for episode in contents(rom)]
    expected = {"file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "content_sha256": digests}
    write_json(GOLDEN / "expected.json", expected)
    sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
