"""Every verb with everything that is no footage, no store and no model: one line, exit status 2, and no waiting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hstmae import cli

# What is given to each verb in place of {}: nothing heavy is loaded to refuse it, so all of it runs in one process.
FORMS = """
record --game smb --autoplay --rom {} --out out
record --game smb --movie {} --out out
record --game nes --rom {} --out out
preprocess --input_dir {} --output_dir out
preprocess --input_dir pictures --output_dir out --side {}
inspect {}
inspect --masks {} --out sheet.png
verify {}
models --variant {}
models --size {}
train --config {}
train --sweep {} --out out
train --config mae_nano --data {}
train --config mae_nano --data absent --init {}
train --config mae_nano --set {}
train --sweep sweep_example --data {} --out out
lighten --config {} --out out
lighten --config mae_pico --data {} --out out
lighten --config mae_pico --data absent --teacher {} --out out
export {} --out out
restore pictures --runtime onnx --checkpoint {} --out out
atlas {} --out atlas.npz
evaluate --checkpoint {} --test_data absent
evaluate --checkpoint hst-mae-nano --test_data {}
evaluate --checkpoint auto --test_data {}
restore {} --out out
restore pictures --mask {} --out out
restore pictures --checkpoint {} --out out
restore pictures --atlas {} --out out
demo --input {} --out out
demo --input_image {} --out out
encode {} out.hst
decode {} out --to png
info {}
recover {} saved.hst
join out.hst {}
join out {} {}
encode absent out.hst --part {}
exchange {} out.hst
exchange {} out --to webdataset
exchange absent out.hst --camera {}
augment {} out --edit x=1
completion {}
serve --port 0 --files {}
stream {} --to http://127.0.0.1:9/x
stream absent --mask {} --to http://127.0.0.1:9/x
play {}
bench {}
bench codec {}
bench codec --rom {}
"""

FOLDERS = (b"model", b"newer", b"nothing", b"run", b"store")

RUN = """
import contextlib, io, json, os, signal, sys, time, traceback
from hstmae.cli import main
class Late(BaseException): pass
def late(*_): raise Late
signal.signal(signal.SIGALRM, late)
wrong, heavy = [], {"torch", "optuna", "matplotlib", "scipy", "av"}
for words in json.loads(sys.stdin.buffer.read().decode("ascii")):
    words = [os.fsdecode(bytes.fromhex(word)) for word in words]
    out, told, began = io.StringIO(), io.StringIO(), time.process_time()
    signal.alarm(60)
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(out):
            code = main(words)
    except BaseException as error:
        where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-3:]]
        code = f"{type(error).__name__}: {error} {where}"
    signal.alarm(0)
    lines = [line for line in told.getvalue().splitlines() if line.strip()]
    said = lines[-1] if lines else ""
    fine = f"hstmae {words[0]}: error: " in said or "damaged, " in out.getvalue()
    seconds = time.process_time() - began
    if code != 2 or not fine or seconds > 10:
        wrong.append([ascii(words)[:200], code, round(seconds, 1), ascii(said)[:300]])
    if "--checkpoint" in words or "--init" in words:
        continue  # whether a file is a checkpoint PyTorch may have to tell
    for name in heavy & {*sys.modules}:
        wrong.append([ascii(words)[:200], "has loaded " + name])
        heavy.remove(name)
print(json.dumps(wrong))
"""


@pytest.fixture
def nasty(tmp_path: Path) -> list[bytes]:
    """Names of what lies in a folder, and of what does not."""
    files = {
        b"empty.bin": b"",
        b"junk.bin": bytes((i * 37 + 11) % 251 for i in range(5000)),
        b"zeros.bin": bytes(3000),
        b"text.txt": b"hello\n" * 10,
        b"list.yaml": b"- 1\n",
        b"deep.yaml": b"[" * 100_000,
        b"deep.json": b'{"format": ' + b"[" * 1_100,
        b"fake.hst": b"\x89HST\r\n\x1a\n" + bytes(range(200)),
        b"fake.zip": b"PK\x03\x04" + bytes(range(200)),
        b"fake.7z": b"7z\xbc\xaf\x27\x1c" + bytes(range(200)),
        b"fake.fm2": b"version 3\n|0|",
        b"fake.npz": b"PK\x03\x04" + bytes(100),
        b"caf\xe9.bin": b"latin",
        b"new\nline.bin": b"two lines",
        b"model/config.json": b"[]",
        b"model/model.safetensors": b"x",
        b"store/meta.json": b"[]",
        b"newer/meta.json": b'{"format": "hst-store", "version": 99}',
        b"run/run.yaml": b"",
        b"pictures/a.txt": b"no picture",
    }
    for name, data in files.items():
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "nothing").mkdir()
    os.mkfifo(tmp_path / "fifo")  # which nobody writes to
    (tmp_path / "dead").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    inside = {name.split(b"/")[0] for name in files} | {b"nothing", b"fifo", b"dead", b"loop"}
    return [*sorted(inside - {b"pictures"}), b"/dev/null", b"/dev/zero", b"/proc/self/mem", b"x" * 5000, b"a\0b", b"*"]


def test_every_verb_refuses_everything_nasty_in_one_line(
    nasty: list[bytes], tmp_path: Path, environment: dict[str, str]
) -> None:
    forms = FORMS.strip().splitlines()
    assert {form.split()[0] for form in forms} == {*cli.VERBS}
    lines = []
    for form in sorted(forms, key=lambda form: "--checkpoint" in form or "--init" in form):
        for name in nasty:
            if (name == b"*" and "--mask" in form.split()) or ("--files" in form and name in FOLDERS):
                continue  # a mask may be a pattern, and any folder can be served
            lines.append([(name if word == "{}" else word.encode()).hex() for word in form.split()])
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(lines), env=environment, cwd=tmp_path, capture_output=True,
        text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    wrong = json.loads(done.stdout.splitlines()[-1])
    assert wrong == [], "\n".join(map(str, wrong))
