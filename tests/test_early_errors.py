"""What is wrong with a command line or its inputs is told before PyTorch is loaded, in one line, with exit status 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hstmae import cli

# What a word stands for lies in the folder of `nasty`; {} marks where in a line.
LINES = """
record --game smb --out out --autoplay --rom absent.nes
record --game smb --out out --movie absent.fm2
record --game smb --out out --movie junk.bin
record --game smb --out out
record --env ALE/Breakout-v5 --frames 0 --out out
record --game nes --out out
record --game nes --rom absent.nes --out out
record --game nes --rom junk.bin --autoplay --out out
evaluate --checkpoint auto --test_data absent
augment absent out --edit x=1
augment empty out --edit x=1
augment empty out
evaluate --checkpoint auto --test_data empty
preprocess --input_dir absent --output_dir out
preprocess --input_dir empty --output_dir out
preprocess --input_dir junk.bin --output_dir out
inspect absent
inspect empty
inspect junk.bin
inspect
inspect --masks absent.yaml --out sheet.png
inspect --masks list.yaml --out sheet.png
inspect --masks mae_nano
verify absent
verify empty
verify junk.bin
models --variant huge
models --size 7x7
models --clip 3
train
train --config absent.yaml
train --config list.yaml
train --config deep.yaml
train --config mae_nano --set train.steps=0
train --config mae_nano --set model.depths=[10000000,1,1,1]
train --config mae_nano --max-steps 0
train --config mae_nano --data empty
train --config mae_nano --data absent
train --resume absent
train --resume empty
train --resume auto
train --sweep absent.yaml --out out
train --sweep mae_nano
lighten --config absent.yaml --out out
lighten --config mae_pico --data absent --out out
lighten --config mae_pico --data empty --out out
lighten --config mae_pico --teacher absent --out out
lighten --config mae_pico --teacher hst-codec-nano --out out
lighten --config mae_nano --out out
lighten --config mae_pico --set train.teacher_share=0 --out out
export absent --out out
export hst-codec-nano --out out
export junk.bin --out out
export hst-mae-nano --out out --size 250x240
export hst-mae-nano --out out --clip 3
export hst-mae-nano --out out --to tflite
export hst-mae-nano --out out --to litert --whole
export hst-mae-nano --out out --hide 0.5
restore picture.png --out out --runtime onnx
restore picture.png --out out --runtime onnx --checkpoint absent
restore picture.png --out out --runtime tensorrt
atlas absent --out a.npz
atlas empty --out a.npz
atlas empty --out a.txt
evaluate --checkpoint absent --test_data empty
evaluate --checkpoint hst-mae-base --test_data empty
evaluate --checkpoint hst-codec-nano --test_data empty
evaluate --checkpoint empty --test_data empty
evaluate --checkpoint absent.pth --test_data empty
evaluate --checkpoint hst-mae-nano --test_data absent
evaluate --checkpoint hst-mae-nano --test_data empty
evaluate --checkpoint hst-mae-nano --test_data junk.bin
evaluate --checkpoint hst-mae-nano --test_data empty --ratio 2
evaluate --checkpoint hst-mae-nano --test_data empty --report-ratios 0.5
restore absent --out out
restore empty --out out
restore junk.bin --out out
restore picture.png --out out --checkpoint absent
restore picture.png --out out --checkpoint hst-codec-nano
restore picture.png --out out --atlas absent.npz
restore picture.png --out out --game nothing
restore picture.png --out out --mask absent
restore picture.png --out out --mask tube:2
restore picture.png --out out --mask tube:0.5:99999999999999999999999
restore picture.png --out out --detect red
restore picture.png --out .
demo --ratio 2
demo --input absent
demo --input empty
demo --input_image absent
demo --input_image empty
demo --checkpoint absent
encode absent out.hst
encode empty out.hst
encode junk.bin out.hst
encode picture.png out.mp4
encode picture.png out.hst --gop 0
encode picture.png out.hst --codec av1
encode picture.png out.hst --profile neural --quality nan
decode absent.hst out --to png
decode junk.bin out --to png
decode empty out --to png
info absent.hst
info junk.bin
info empty
recover absent.hst out.hst
recover junk.bin out.hst
recover empty out.hst
join out.hst absent
join out.hst empty
join out.hst junk.bin
join out.hst picture.png picture.png
encode picture.png out.hst --part 4/3
evaluate --checkpoint hst-mae-nano --test_data empty --part 1/2
exchange absent out.hst
exchange empty out.hst
exchange empty out --to lerobot
exchange junk.bin out --to webdataset
exchange picture.png out
exchange picture.png out.hst --to minari
exchange picture.png out --to hst
exchange picture.png out --to webdataset --video
exchange picture.png out.hst --camera top
exchange empty out.hst --from lerobot
serve --files absent
serve --port 65536
serve --port no
stream
stream picture.png
stream absent --to http://127.0.0.1:9/x
stream empty --to http://127.0.0.1:9/x
stream junk.bin --to http://127.0.0.1:9/x
stream picture.png --to ftp://nowhere/x
stream picture.png --to http://127.0.0.1:9/
stream picture.png --to http://127.0.0.1:9/x --out out.mp4
stream picture.png --env ALE/Pong-v5 --to http://127.0.0.1:9/x
stream --autoplay --game pong --to http://127.0.0.1:9/x
play absent
play empty
play junk.bin
play nohost://x
play http://127.0.0.1:9/
bench
bench nothing
bench codec absent
bench codec empty
bench codec junk.bin
bench codec picture.png --peers zip
bench codec picture.png --profiles replay
bench codec picture.png --gop 5000
bench codec picture.png --lossy 5
bench codec picture.png --plot sizes.txt
bench codec picture.png --rom junk.bin
bench codec picture.png --checkpoint hst-mae-nano
completion tcsh
completion
"""

RUN = """
import contextlib, io, json, os, sys
from hstmae.cli import main
found, was = [], os.times()
for line in json.load(sys.stdin):
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        code = main(line.split())
    found.append([line, code, told.getvalue(), "torch" in sys.modules])
print(json.dumps(found))
"""


@pytest.fixture
def nasty(tmp_path: Path, samples: Path) -> Path:
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk.bin").write_bytes(bytes(range(1, 250)) * 20)
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    (tmp_path / "deep.yaml").write_text("model: {depths: [10000000, 2, 4, 1]}\n")
    (tmp_path / "picture.png").write_bytes((samples / "sample_masked.png").read_bytes())
    return tmp_path


@pytest.fixture
def samples() -> Path:
    from hstmae.bundled import SAMPLES

    return SAMPLES


def test_errors_come_before_pytorch(environment: dict[str, str], nasty: Path) -> None:
    lines = LINES.strip().splitlines()
    assert {line.split()[0] for line in lines} == set(cli.VERBS)
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(lines), env=environment, cwd=nasty, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    wrong = []
    for line, code, told, torch in json.loads(done.stdout):
        last = told.strip().splitlines()[-1] if told.strip() else ""
        if code != 2 or torch or f"hstmae {line.split()[0]}: error: " not in last or "Traceback" in told:
            wrong.append((line, code, torch, last))
    assert wrong == []
    assert not (nasty / "out").exists() and not (nasty / "out.hst").exists()


def cpu_seconds_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


@pytest.mark.parametrize(
    "line",
    [
        "restore absent --out out",
        "evaluate --checkpoint absent --test_data empty",
        "train --resume absent",
        "train --config mae_nano --max-steps 0",
        "models --variant huge",
        "demo --input absent",
        "encode absent out.hst",
        "info absent.hst",
    ],
)
def test_errors_are_quick(environment: dict[str, str], nasty: Path, line: str) -> None:
    """In processor time, which other processes on a busy machine do not lengthen as they do wall time."""
    command = [sys.executable, "-m", "hstmae", *line.split()]
    subprocess.run(command, env=environment, cwd=nasty, capture_output=True)  # compiles what has to be compiled
    taken = []
    for _ in range(2):
        before = cpu_seconds_of_children()
        assert subprocess.run(command, env=environment, cwd=nasty, capture_output=True).returncode == 2
        taken.append(cpu_seconds_of_children() - before)
    assert min(taken) < 0.3, taken
