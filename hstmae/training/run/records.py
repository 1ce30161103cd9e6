"""What a run writes beside its checkpoints: `metrics.jsonl`, one line per log interval, and `run.yaml`, its record."""

import json
import math
import platform
import shlex
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from ...atomic import write_text
from ...config import RunConfig, to_dict

METRICS, RECORD = "metrics.jsonl", "run.yaml"


class MetricsLog:
    """Append-only JSON lines, each with a `step`; lines beyond the step a run resumes from are dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open `folder`/metrics.jsonl, keeping complete lines of steps 1 .. `step`."""
        path = folder / METRICS
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        # A writer that was killed may have left a part of the last line.
        kept = [line for line in lines if line.strip() and line.endswith("\n") and json.loads(line)["step"] <= step]
        write_text(path, "".join(kept))
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - closed by close()

    def write(self, values: dict[str, Any]) -> None:
        """Append one line and hand it to the system. Numbers that JSON cannot say become null."""
        line = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def write_record(folder: Path, config: RunConfig, details: dict[str, Any], resumed_at: int | None) -> None:
    """Write `folder`/run.yaml: configuration (data, masks, losses), source revision, versions, devices, command
    line, `details`, and every step it was resumed at."""
    path = folder / RECORD
    old = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    resumed = list(old.get("resumed_at", [])) + ([] if resumed_at is None else [resumed_at])
    record = {
        "config": to_dict(config),
        "git_commit": git_commit(),
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__},
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        **details,
        "resumed_at": resumed,
    }
    write_text(path, yaml.safe_dump(record, sort_keys=False, allow_unicode=True))


def git_commit() -> str | None:
    """Commit of the checkout that this package lies in, with "+changes" when files differ; None outside of git."""

    def git(*words: str) -> str:
        folder = Path(__file__).resolve().parent
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def store_hash(store: Path) -> str:
    """SHA-256 of a store's manifest, which in turn holds the hash of each of its files."""
    return sha256((store / "meta.json").read_bytes()).hexdigest()
