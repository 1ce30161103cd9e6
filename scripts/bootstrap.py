"""Makes the virtual environment of this checkout: `python3 scripts/bootstrap.py`, or `make install`.

Only the standard library is needed. The second run finds the stamp of the first and does nothing.

Environment variables:
    HSTMAE_VENV        folder of the environment (default: .venv in the checkout)
    HSTMAE_TORCH_ARGS  pip arguments which install PyTorch your way, e.g.
                       "torch==2.13.0 --index-url https://download.pytorch.org/whl/cu130"
    HSTMAE_EXTRAS      optional parts to install, too, e.g. "video,archive" (see pyproject.toml)

Without HSTMAE_TORCH_ARGS: a PyTorch that is already in the environment and in the supported range is kept. With an
NVIDIA GPU, and on macOS and Windows, pip's own choice is installed; on Linux without a GPU only ever the CPU build,
because pip's own choice there would be gigabytes of CUDA libraries.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("pyproject.toml", "requirements.txt", "scripts/bootstrap.py")  # a change in one of them reinstalls
OLDEST = (3, 10)
NEWER = ("python3.13", "python3.12", "python3.11", "python3.10")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


class SetupError(Exception):
    """The environment cannot be made; the message says what to do about it."""


def main() -> int:
    if len(sys.argv) > 1:  # it has no options: --help, or a mistake
        print(__doc__)
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    try:
        use_supported_python()
        venv = Path(os.environ.get("HSTMAE_VENV") or ROOT / ".venv").absolute()
        stamp, wanted = venv / "hstmae-setup-stamp", fingerprint()
        if is_current(venv, stamp, wanted):
            return 0
        start = time.monotonic()
        stamp.unlink(missing_ok=True)  # from here on the environment counts as unfinished
        make_venv(venv)
        install_torch(venv)
        install_package(venv)
        write_stamp(stamp, wanted)
        say(f"ready after {time.monotonic() - start:.0f} s")
        return 0
    except SetupError as error:
        print(f"setup: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("setup: interrupted; run it again to go on", file=sys.stderr)
        return 130


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def use_supported_python() -> None:
    """Start again under a newer Python when this one is too old."""
    if sys.version_info[:2] >= OLDEST:
        return
    for name in NEWER:
        found = shutil.which(name)
        if found and answer(found, "-c", "print('works')"):  # a version manager's stand-in may lead nowhere
            os.execv(found, [found, str(Path(__file__).resolve()), *sys.argv[1:]])
    raise SetupError(
        f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]} ({sys.executable}); "
        "install one, or name it: make install PYTHON=/path/to/python3"
    )


def fingerprint() -> str:
    """Hash of everything the finished environment depends on."""
    digest = hashlib.sha256()
    for part in (sys.version, str(ROOT), os.environ.get("HSTMAE_TORCH_ARGS", ""), os.environ.get("HSTMAE_EXTRAS", "")):
        digest.update(part.encode() + b"\0")
    kernel = sorted([*ROOT.glob("setup.py"), *ROOT.glob("hstmae/**/_*.[ch]")])  # compiled by the installation
    for path in [*(ROOT / name for name in SOURCES), *kernel]:
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_current(venv: Path, stamp: Path, wanted: str) -> bool:
    try:
        return stamp.read_text() == wanted and venv_python(venv).exists()
    except OSError:
        return False


def write_stamp(stamp: Path, wanted: str) -> None:
    temp = stamp.with_suffix(".tmp")
    temp.write_text(wanted)
    os.replace(temp, stamp)


def venv_python(venv: Path) -> Path:
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def run(*command: str | Path) -> bool:
    """Run a command with its output shown; whether it succeeded."""
    return subprocess.run([str(c) for c in command], check=False).returncode == 0


def answer(*command: str | Path) -> str:
    """What a command prints, "" when it fails."""
    try:
        done = subprocess.run([str(c) for c in command], check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def pip(venv: Path, *arguments: str | Path) -> bool:
    return run(
        venv_python(venv), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", *arguments
    )


def make_venv(venv: Path) -> None:
    """Make the environment unless a working one is there; a broken one is made anew."""
    if answer(venv_python(venv), "-c", "import pip; print(pip.__version__)"):
        return
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
        raise SetupError(f"{venv} is not a virtual environment; empty it, or name another folder in HSTMAE_VENV")
    say(f"making {venv} with Python {sys.version.split()[0]}")
    if not run(sys.executable, "-m", "venv", "--clear", venv):
        raise SetupError(
            f"{sys.executable} -m venv failed; on Debian and Ubuntu: apt install python3-venv; "
            "or name another Python: make install PYTHON=/path/to/python3"
        )


def torch_range() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Lowest supported and first unsupported version, as pyproject.toml has them."""
    found = re.search(r'"torch>=([\d.]+),<([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if not found:
        raise SetupError("pyproject.toml: no dependency of the form torch>=A,<B")
    return version_tuple(found[1]), version_tuple(found[2])


def torch_pin() -> str:
    """The tested version, e.g. "torch==2.13.0"."""
    found = re.search(r"^torch==[\w.]+", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise SetupError("requirements.txt: no line torch==VERSION")
    return found[0]


def version_tuple(version: str) -> tuple[int, ...]:
    """Release numbers only: "2.13.0+cpu" -> (2, 13, 0)."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(n) for n in found[0].split(".")) if found else ()


def installed_torch(venv: Path) -> str:
    """Version of the PyTorch that the environment can import, "" when there is none."""
    return answer(venv_python(venv), "-c", "import torch; print(torch.__version__)").rpartition("\n")[2]


def has_nvidia_gpu() -> bool:
    return "GPU" in answer("nvidia-smi", "-L")


def install_torch(venv: Path) -> None:
    """Put a suitable PyTorch into the environment, see the top of this file.

    Raises:
        SetupError: pip failed, or only a build with CUDA was to be had and there is no GPU to use it.
    """
    chosen = os.environ.get("HSTMAE_TORCH_ARGS")
    if chosen:
        say(f"installing PyTorch as told: {chosen}")
        if not pip(venv, *shlex.split(chosen)):
            raise SetupError("pip could not install what HSTMAE_TORCH_ARGS says")
        return
    version = installed_torch(venv)
    lowest, beyond = torch_range()
    if version and lowest <= version_tuple(version) < beyond:
        say(f"keeping PyTorch {version}")
        return
    pin = torch_pin()
    if not sys.platform.startswith("linux") or has_nvidia_gpu():
        say(f"installing {pin}")
        if not pip(venv, pin):
            raise SetupError(f"pip could not install {pin}; check the network, or set HSTMAE_TORCH_ARGS")
        return
    # Asking for the +cpu label can only ever find a CPU build, wherever pip is configured to look.
    say(f"installing {pin}, CPU build (no NVIDIA GPU found)")
    if cpu_build(venv, pin):
        return
    say(f"not where pip usually looks; trying {CPU_INDEX}")
    if cpu_build(venv, pin, "--extra-index-url", CPU_INDEX, "--retries", "0"):
        return
    raise SetupError(
        f"no CPU build of {pin} can be reached, and pip's default build brings gigabytes of CUDA libraries.\n"
        "  - with a network that reaches download.pytorch.org: run this again\n"
        "  - with a wheel of your own: PIP_FIND_LINKS=/folder/with/wheels make install\n"
        f'  - to take pip\'s default build all the same: HSTMAE_TORCH_ARGS="{pin}" make install'
    )


def cpu_build(venv: Path, pin: str, *options: str) -> bool:
    """Install the CPU build of `pin`; pip's "no matching distribution" is an answer here, so it is not shown."""
    command = [venv_python(venv), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run([*map(str, command), f"{pin}+cpu", *options], check=False, stderr=subprocess.PIPE, text=True)
    if done.returncode and "No matching distribution" not in done.stderr:
        raise SetupError(f"pip could not install {pin}+cpu:\n{done.stderr.strip()}")
    return done.returncode == 0


def install_package(venv: Path) -> None:
    """Install this checkout (editable) and its tools in the tested versions, never replacing the PyTorch in place."""
    version = installed_torch(venv)
    if not version:
        raise SetupError(f"PyTorch cannot be imported; the reason: {venv_python(venv)} -c 'import torch'")
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    constraints = venv / "hstmae-constraints.txt"
    constraints.write_text("\n".join([f"torch=={version}", *(p for p in pins if not p.startswith("torch=="))]) + "\n")
    say("installing the package and its tools")
    extras = ",".join(["dev", *filter(None, os.environ.get("HSTMAE_EXTRAS", "").split(","))])
    if not pip(venv, "-e", f"{ROOT}[{extras}]", "-c", constraints):
        raise SetupError("pip could not install the package's dependencies; its message is above")


if __name__ == "__main__":
    sys.exit(main())
