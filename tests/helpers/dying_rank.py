"""Script of one rank, as rank_run.py, whose second rank dies once in its seventh step."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rank_run import train

from hstmae.training.run.distributed import joined_world
from hstmae.training.run.trainer import Trainer

DEATH = 6

if __name__ == "__main__":
    out = Path(sys.argv[1])
    advance = Trainer.advance

    def dying(self, batch):
        if self.step == DEATH and self.world.rank == 1 and not (out / "died").exists():
            (out / "died").write_text(str(self.step))
            os._exit(1)
        return advance(self, batch)

    Trainer.advance = dying
    with joined_world() as joined:
        train(out, sys.argv[2], int(sys.argv[3]), sys.argv[4:], joined)
