"""A network in ExecuTorch's own runtime, where a folder with it is named; converting takes over two minutes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = "HSTMAE_EXECUTORCH"  # made by pip install --target
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
path = Path(sys.argv[1])
torch.set_num_threads(1)
model = shaken(replace(SMALL, places="none"))
graph = ToHead(model, blank_state(model.game, 4), False).eval()
feed = golden_input(model, (64, 96), 4)
inputs = {name: torch.from_numpy(feed[name]) for name in input_names(graph)}
with torch.no_grad():
    truth = graph(*inputs.values())
told = phones.write_executorch(graph, inputs, path)
made = phones.run_executorch(path, inputs)
errors = [float(np.abs(a - b.numpy()).max()) for a, b in zip(made, truth)]
print(json.dumps([told, errors, [float(a.abs().max()) for a in truth]]))
"""


@pytest.mark.slow
def test_golden_outputs_and_the_delegated_share(root: Path, tmp_path: Path) -> None:
    folder = os.environ.get(FOLDER)
    if not folder:
        pytest.skip(f"ExecuTorch is heavy and lies in a folder of its own (docs/mobile.md): {FOLDER}=DIR")
    path = os.pathsep.join(map(str, (root, root / "tests" / "helpers", folder)))
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "network.pte")], env=os.environ | {"PYTHONPATH": path},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told, errors, sizes = json.loads(done.stdout.splitlines()[-1])
    assert max(errors) < 1e-4 < max(sizes)
    assert told["delegated"] >= 0.9 * told["heavy"] > 5
