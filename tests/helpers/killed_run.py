"""Script: train in child processes that are killed at random moments until one gets to the end. Prints the kills.

Usage: killed_run.py RUN_DIR SEED KILLS
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch._dynamo  # noqa: F401  which optimizers need: read once, not by every child
from training_fakes import HELD_BACK, MemoryClips, TinyModel, make_config

from hstmae.models.checkpoint import holds_run, load_resume
from hstmae.training.run.trainer import Trainer


class Reporting(Trainer):
    """Writes a byte to a pipe before each step."""

    pipe = -1

    def advance(self, batch):
        os.write(self.pipe, b".")
        return super().advance(batch)


def train(out: Path, pipe: int) -> None:
    trainer = Reporting(make_config(out), MemoryClips(), HELD_BACK, model=TinyModel())
    trainer.pipe = pipe
    payload = load_resume(out, print)[0] if holds_run(out) else None
    trainer.fit(payload)


def main() -> None:
    out, rng, kills = Path(sys.argv[1]), random.Random(int(sys.argv[2])), int(sys.argv[3])
    done = 0
    while True:
        reader, writer = os.pipe()
        child = os.fork()  # nothing has been computed here yet, so no thread pool is lost by forking
        if child == 0:
            os.close(reader)
            train(out, writer)
            os._exit(0)
        os.close(writer)
        if done < kills:
            for _ in range(rng.randint(1, 12)):
                os.read(reader, 1)
            time.sleep(rng.random() * 0.01)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        os.close(reader)
        if os.WIFEXITED(status):
            print(done)
            sys.exit(os.WEXITSTATUS(status))
        done += 1


if __name__ == "__main__":
    main()
