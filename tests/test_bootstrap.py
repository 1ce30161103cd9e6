"""The set-up script: which PyTorch it takes, what it never does, and that it does nothing the second time.

No pip runs here: the commands are recorded and answered by a stand-in.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def setup(root, tmp_path, monkeypatch):
    """The script, loaded from a copy of the files it reads, with a stand-in for every command it would run."""
    for name in ("pyproject.toml", "requirements.txt", "scripts/bootstrap.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    spec = importlib.util.spec_from_file_location("bootstrap", tmp_path / "scripts" / "bootstrap.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name in ("HSTMAE_VENV", "HSTMAE_TORCH_ARGS", "HSTMAE_EXTRAS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["bootstrap.py"])
    monkeypatch.setattr(sys, "platform", "linux")
    world = SimpleNamespace(
        script=script, root=tmp_path, venv=tmp_path / ".venv", calls=[], torch="", gpu="", sources={""}, broken=()
    )

    def execute(command, **options):
        """Answer one command; `sources` holds where the CPU build can be found: "" = pip's own, or an index."""
        words = [str(c) for c in command]
        line = " ".join(words)
        world.calls.append(line)
        done = SimpleNamespace(returncode=0, stdout=b"", stderr="")
        if any(part in line for part in world.broken):
            done.returncode, done.stderr = 1, "it broke"
        elif "-m venv" in line:
            python = script.venv_python(world.venv)
            python.parent.mkdir(parents=True)
            python.write_text("")
            (world.venv / "pyvenv.cfg").write_text("")
        elif words[0] == "nvidia-smi":
            done.returncode, done.stdout = (0, world.gpu.encode()) if world.gpu else (9, b"")
        elif "print('works')" in line:
            done.stdout = b"works"
        elif "import pip" in line:
            done.returncode = 0 if world.venv.exists() else 1
            done.stdout = b"25.0"
        elif "import torch" in line:
            done.returncode, done.stdout = (0, world.torch.encode()) if world.torch else (1, b"")
        elif re.search(r"torch==[\d.]+\+cpu", line):
            index = words[words.index("--extra-index-url") + 1] if "--extra-index-url" in words else ""
            if index in world.sources:
                world.torch = "2.13.0+cpu"
            else:
                done.returncode, done.stderr = 1, "ERROR: No matching distribution found for torch"
        elif " torch==" in line:
            world.torch = "2.13.0"
        return done

    monkeypatch.setattr(script.subprocess, "run", execute)
    return world


def pip_calls(world) -> list[str]:
    return [c.split("--no-input ")[1] for c in world.calls if " -m pip install " in c]


def stamp(world):
    return world.venv / "hstmae-setup-stamp"


def test_cpu_build_from_pips_own_sources(setup):
    assert setup.script.main() == 0
    assert pip_calls(setup)[0] == "torch==2.13.0+cpu"
    assert pip_calls(setup)[1].startswith(f"-e {setup.root}[dev] -c ")
    assert len(pip_calls(setup)) == 2
    assert stamp(setup).exists()


def test_cpu_build_from_the_cpu_index(setup):
    setup.sources = {setup.script.CPU_INDEX}
    assert setup.script.main() == 0
    assert pip_calls(setup)[1] == f"torch==2.13.0+cpu --extra-index-url {setup.script.CPU_INDEX} --retries 0"


def test_stops_rather_than_fetch_cuda_by_accident(setup, capsys):
    setup.sources = set()
    assert setup.script.main() == 2
    assert all("+cpu" in c for c in pip_calls(setup))
    err = capsys.readouterr().err
    assert "HSTMAE_TORCH_ARGS" in err and "CUDA" in err
    assert not stamp(setup).exists()


def test_another_failure_of_pip_is_not_taken_for_a_missing_build(setup, capsys):
    setup.broken = ("+cpu",)
    assert setup.script.main() == 2
    assert len(pip_calls(setup)) == 1
    assert "it broke" in capsys.readouterr().err


@pytest.mark.parametrize(("platform", "gpu"), [("linux", "GPU 0: H200"), ("darwin", ""), ("win32", "")])
def test_pips_own_choice_with_a_gpu_or_off_linux(setup, monkeypatch, platform, gpu):
    monkeypatch.setattr(sys, "platform", platform)
    setup.gpu = gpu
    assert setup.script.main() == 0
    assert pip_calls(setup)[0] == "torch==2.13.0"


def test_driver_without_a_gpu_counts_as_none(setup):
    setup.gpu = "No devices were found"
    assert setup.script.main() == 0
    assert pip_calls(setup)[0] == "torch==2.13.0+cpu"


def test_arguments_given_by_the_user(setup, monkeypatch):
    monkeypatch.setenv("HSTMAE_TORCH_ARGS", '--index-url "https://example.org/a b" torch==2.12.0')
    assert setup.script.main() == 0
    assert pip_calls(setup)[0] == "--index-url https://example.org/a b torch==2.12.0"


@pytest.mark.parametrize(
    ("version", "kept"),
    [("2.6.0", True), ("2.11.0+cu130", True), ("2.5.1", False), ("3.0.0", False), ("2.14.0a0+git1", True), ("", False)],
)
def test_a_suitable_pytorch_is_kept_and_never_replaced(setup, version, kept):
    setup.torch = version
    assert setup.script.main() == 0
    assert any("torch==" in c for c in pip_calls(setup)) is not kept
    constraints = (setup.venv / "hstmae-constraints.txt").read_text().splitlines()
    assert [c for c in constraints if c.startswith("torch==")] == [f"torch=={version if kept else '2.13.0+cpu'}"]
    assert any(c.startswith("numpy==") for c in constraints)


def test_second_run_does_nothing_until_something_changes(setup, monkeypatch):
    assert setup.script.main() == 0
    setup.calls.clear()
    assert setup.script.main() == 0
    assert setup.calls == []
    for change in ("pyproject.toml", "requirements.txt", "scripts/bootstrap.py"):
        with open(setup.root / change, "a") as file:
            file.write("\n# changed\n")
        assert setup.script.main() == 0
        assert pip_calls(setup) and not any("-m venv" in c for c in setup.calls)
        setup.calls.clear()
    monkeypatch.setattr(sys, "version", "3.99.0")
    assert setup.script.main() == 0
    assert pip_calls(setup)


def test_optional_parts_are_installed_where_they_are_named(setup, monkeypatch) -> None:
    monkeypatch.setenv("HSTMAE_EXTRAS", "video,archive")
    assert setup.script.main() == 0
    assert pip_calls(setup)[1].startswith(f"-e {setup.root}[dev,video,archive] -c ")
    monkeypatch.delenv("HSTMAE_EXTRAS")
    assert setup.script.main() == 0 and len(pip_calls(setup)) > 2  # another choice is another environment


@pytest.mark.parametrize("broken", ["-m venv", "torch==", "[dev]"])
def test_an_unfinished_set_up_leaves_no_stamp_and_is_finished_later(setup, broken):
    setup.broken = (broken,)
    assert setup.script.main() == 2
    assert not stamp(setup).exists()
    setup.broken = ()
    assert setup.script.main() == 0
    assert stamp(setup).exists()


def test_a_failed_update_takes_the_stamp_away(setup):
    assert setup.script.main() == 0
    with open(setup.root / "requirements.txt", "a") as file:
        file.write("# changed\n")
    setup.broken = ("[dev]",)
    assert setup.script.main() == 2
    assert not stamp(setup).exists()


def test_an_interrupted_set_up_leaves_no_stamp(setup, monkeypatch, capsys):
    monkeypatch.setattr(setup.script, "install_package", lambda venv: (_ for _ in ()).throw(KeyboardInterrupt))
    assert setup.script.main() == 130
    assert not stamp(setup).exists()


def test_a_folder_that_is_no_environment_is_left_alone(setup, monkeypatch, capsys):
    precious = setup.root / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    monkeypatch.setenv("HSTMAE_VENV", str(precious))
    setup.broken = ("import pip",)
    assert setup.script.main() == 2
    assert "not a virtual environment" in capsys.readouterr().err
    assert (precious / "file").read_text() == "x"
    assert not any("-m venv" in c for c in setup.calls)


def test_too_old_a_python_starts_a_newer_one(setup, monkeypatch, capsys):
    class Replaced(Exception):
        """The process has become another one."""

    def execv(path, args):
        raise Replaced(path, args[1:])

    monkeypatch.setattr(sys, "version_info", (3, 8, 0))
    setup.broken = ("/bin/python3.12 -c",)
    found = ("python3.12", "python3.11")
    monkeypatch.setattr(setup.script.shutil, "which", lambda name: f"/bin/{name}" if name in found else None)
    monkeypatch.setattr(setup.script.os, "execv", execv)
    with pytest.raises(Replaced) as started:
        setup.script.main()
    assert started.value.args == ("/bin/python3.11", [str(setup.root / "scripts" / "bootstrap.py")])
    monkeypatch.setattr(setup.script.shutil, "which", lambda name: None)
    assert setup.script.main() == 2
    assert "3.10 or newer is needed" in capsys.readouterr().err


def test_the_real_second_run_is_quick(root, tmp_path, environment):
    """The whole script, in a process of its own, with a finished environment."""
    for name in ("pyproject.toml", "requirements.txt", "scripts/bootstrap.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    environment.pop("HSTMAE_VENV", None)
    code = (
        "import runpy, sys; from pathlib import Path; m = runpy.run_path(sys.argv[1]); v = Path(sys.argv[2])\n"
        "p = m['venv_python'](v); p.parent.mkdir(parents=True); p.touch()\n"
        "m['write_stamp'](v / 'hstmae-setup-stamp', m['fingerprint']())"
    )
    script = str(tmp_path / "scripts" / "bootstrap.py")
    subprocess.run([sys.executable, "-c", code, script, str(tmp_path / ".venv")], env=environment, check=True)
    before = os.times()
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    after = os.times()  # processor time: a busy machine lengthens wall time
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.5
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
