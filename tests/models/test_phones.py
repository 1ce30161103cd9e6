"""Exports for the runtimes of phones, each in an environment of its own, where one is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDERS = {"executorch": "HSTMAE_EXECUTORCH", "litert": "HSTMAE_LITERT"}  # made by pip install --target
RUN = """
import json, sys
from pathlib import Path
import numpy as np
import torch
from shaken import SMALL, shaken
from hstmae.exporting import phones
from hstmae.exporting.export import golden_input, input_names
from hstmae.exporting.graphs import ToHead
from hstmae.portable.network import blank_state
from dataclasses import replace
kind, path = sys.argv[1], Path(sys.argv[2])
torch.set_num_threads(1)
model = shaken(replace(SMALL, places="none"))
graph = ToHead(model, blank_state(model.game, 4), False).eval()
feed = golden_input(model, (64, 96), 4)
inputs = {name: torch.from_numpy(feed[name]) for name in input_names(graph)}
with torch.no_grad():
    truth = graph(*inputs.values())
write = phones.write_executorch if kind == "executorch" else phones.write_litert
told = write(graph, inputs, path)
made = (phones.run_executorch if kind == "executorch" else phones.run_litert)(path, inputs)
errors = [float(np.abs(a - b.numpy()).max()) for a, b in zip(made, truth)]
print(json.dumps([told, errors, [float(a.abs().max()) for a in truth]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", FOLDERS)
def test_golden_outputs_and_the_delegated_share(kind: str, root: Path, tmp_path: Path) -> None:
    folder = os.environ.get(FOLDERS[kind])
    if not folder:
        pytest.skip(f"{kind} is heavy and lies in a folder of its own (docs/mobile.md): {FOLDERS[kind]}=DIR")
    path = os.pathsep.join(map(str, (root, root / "tests" / "helpers", folder)))
    done = subprocess.run(
        [sys.executable, "-c", RUN, kind, str(tmp_path / "graph")], env=os.environ | {"PYTHONPATH": path},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told, errors, sizes = json.loads(done.stdout.splitlines()[-1])
    assert max(errors) < 1e-4 < max(sizes)
    assert told["delegated"] >= 0.9 * told["heavy"] > 5
