"""The package as users get it: built, installed into an environment of its own, run in an empty folder.

Nothing is downloaded: the environment borrows PyTorch and the other dependencies from the running one, where the
package itself is either absent or an editable installation, which such borrowing does not see.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from hstmae import bundled
from hstmae.errors import CheckpointError, ConfigError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the source archive and the wheel that is made from it."""
    root, folder = Path(__file__).resolve().parents[1], tmp_path_factory.mktemp("build")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(root / name, source / name)
    setup = source / "setup.py"
    setup.write_text(setup.read_text().replace('"-O3"', '"-O0"'))  # compiles fast
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.dll", "*.pth")
    shutil.copytree(root / "hstmae", source / "hstmae", ignore=ignored)
    for weights in source.glob("hstmae/bundled/checkpoints/*/model.safetensors"):
        weights.write_bytes(b"")  # packs fast; `installed` puts the real ones there
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> SimpleNamespace:
    """The wheel in an environment of its own, and an empty folder to work in; `run` starts `hstmae VERB ...`."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    bin_folder = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = str(bin_folder / "python")
    where = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True, capture_output=True
    )
    borrowed = Path(os.fsdecode(where.stdout).strip()) / "borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (wheel,) = built.glob("*.whl")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-compile",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, "--ignore-installed", wheel], check=True)
    (place,) = (folder / "venv").rglob("hstmae/bundled")
    for name in ("hst-mae-nano", "hst-codec-nano"):
        weights = Path("checkpoints", name, "model.safetensors")
        shutil.copyfile(Path(bundled.__file__).parent / weights, place / weights)
    work = folder / "empty"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "HSTMAE_MODELS", "HSTMAE_GAMES")}

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        return done.stdout

    return SimpleNamespace(run=run, command=str(bin_folder / "hstmae"), python=python, home=folder / "venv", work=work)


def test_what_the_archives_hold(built, root):
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    assert wheel.name.startswith("hstmae-") and "-py3-none-" in wheel.name and "-any" not in wheel.name
    names = set(zipfile.ZipFile(wheel).namelist())
    libraries = {n for n in names if n.endswith((".so", ".dll"))}
    suffix = ".dll" if os.name == "nt" else ".so"
    compiled = ("codec/lossless/_kernel", "models/fast/_head", "motion/_motion", "motion/_weighing")
    assert libraries == {f"hstmae/{name}{suffix}" for name in compiled}
    assert {n.split("/")[0] for n in names if ".dist-info/" not in n} == {"hstmae"}
    assert not [n for n in names if n.endswith((".c", ".h", ".pth", ".pyc"))]
    assert "hstmae/py.typed" in names
    tracked = subprocess.run(["git", "ls-files", "hstmae"], cwd=root, capture_output=True, text=True)
    if tracked.returncode == 0:  # not in a checkout of another kind
        missing = {n for n in tracked.stdout.splitlines() if not n.endswith((".c", ".h"))} - names
        assert not missing
    with tarfile.open(source) as archive:
        sources = {n.split("/", 1)[1] for n in archive.getnames() if "/" in n}
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE", "hstmae/codec/lossless/_kernel.h"} <= sources
    assert not [n for n in sources if n.startswith(("tests/", "data/", "runs/"))]


_FEW = "--set train.batch=1 --set train.queries=16 --set data.crop=64 --set data.clip=4"
_VERBS = f"""
demo --frames 4
preprocess --input_dir assets/sample_session --output_dir data/preprocessed --workers 1
train --config mae_nano --max-steps 1 {_FEW} --out runs/name
encode few lossless.hst --workers 1
info lossless.hst
decode lossless.hst again --to smbdataset
encode few neural.hst --profile neural --stride 4 --gop 8 --checkpoint hst-codec-nano --workers 1
decode neural.hst pictures --to png --frames 0:2
"""
_SCRIPT = """
import contextlib, io, json, sys
import hstmae
from hstmae.cli import main
from hstmae.codec.lossless.kernel import Compiled, backend
from hstmae.model_folders import weights_of
said = {}
for line in sys.argv[1].strip().splitlines():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(line.split()) == 0, line
    said.setdefault(line.split()[0], out.getvalue())
    if line == "demo --frames 4":
        frames = json.load(open("out/demo/metrics.json", encoding="utf-8"))["frames"]
nano = hstmae.load("hst-mae-nano")
print(json.dumps({
    "file": hstmae.__file__, "said": said, "kernel": isinstance(backend(), Compiled),
    "weights": weights_of(nano.config.name), "model": [nano.config.name, nano.atlas is not None], "frames": frames,
}))
"""


def test_python_and_verbs_from_the_wheel(installed):
    """All in one process, as PyTorch takes long to load."""
    work, out = installed.work, installed.work / "out" / "demo"
    assert "demo" in installed.run(installed.command, "--help")
    (session,) = (p for p in bundled.SAMPLES.joinpath("sample_session").iterdir() if p.is_dir())
    original = {p.name: p.read_bytes() for p in sorted(session.iterdir())[:12]}
    (work / "few" / session.name).mkdir(parents=True)
    for name, data in original.items():
        (work / "few" / session.name / name).write_bytes(data)
    told = json.loads(installed.run(installed.python, "-c", _SCRIPT, _VERBS).splitlines()[-1])
    assert Path(told["file"]).is_relative_to(installed.home)  # not the checkout, not an editable installation
    assert told["model"] == ["hst-mae-nano", True] and told["weights"] and told["kernel"] and told["frames"] == 4
    assert (out / "side_by_side.png").is_file()
    assert (work / "runs" / "name" / "model" / "config.json").is_file()
    assert "smb" in told["said"]["info"]
    assert {p.name: p.read_bytes() for p in (work / "again").rglob("*.png")} == original
    assert len(list((work / "pictures").rglob("*.png"))) == 2


def test_bundled_paths_lead_to_the_package_where_nothing_else_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mae_nano", "mae_nano.yaml", "configs/mae_nano.yaml", "configs/mae_nano"):
        assert bundled.find_config(name) == bundled.CONFIGS / "mae_nano.yaml"
    assert bundled.find("assets/sample_session") == bundled.SAMPLES / "sample_session"
    assert bundled.find_checkpoint("checkpoints/hst-mae-nano") == bundled.CHECKPOINTS / "hst-mae-nano"
    for name in ("configs/mae_huge.yaml", "elsewhere/mae_nano.yaml", "configs/../../errors.py", str(tmp_path / "x")):
        assert bundled.find_config(name) == Path(name)
    own = tmp_path / "configs" / "mae_nano.yaml"  # what is there goes before what is bundled
    own.parent.mkdir()
    own.write_text("", encoding="utf-8")
    assert bundled.find_config("configs/mae_nano.yaml") == Path("configs/mae_nano.yaml")


def test_errors_list_what_is_bundled(tmp_path, monkeypatch):
    from hstmae.config import load_config
    from hstmae.model_folders import find_model

    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"bundled: codec_nano, .*mae_nano"):
        load_config("configs/nothing_like_it.yaml")
    with pytest.raises(
        CheckpointError, match=r"there are .*hst-mae-nano, hst-mae-pico, hst-mae-tiny.* for the codec hst-codec-nano"
    ):
        find_model("hst-mae-huge")
