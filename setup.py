"""The compiled parts: codec kernel, palette head, motion recall. All else about the package is in pyproject.toml.

They use nothing of Python's C interface and are loaded with ctypes, so one wheel serves every Python 3 of a platform.
They are optional: where no compiler is found the package works with the codec's slow pure-Python twin, draws pictures
with torch and looks for motion with NumPy.
"""

import os

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext


class PlainLibrary(build_ext):
    """A shared library that only looks like an extension module, so that wheels and editable installs carry it."""

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return []  # there is no PyInit function: the C sources mark what they export

    def get_ext_filename(self, fullname: str) -> str:
        """Without the interpreter's tag: any Python loads it."""
        return os.path.join(*fullname.split(".")) + (".dll" if os.name == "nt" else ".so")


class AnyPython(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


FLAGS = ["-O3", "-fvisibility=hidden"] if os.name != "nt" else []
LOSSLESS, FAST = "hstmae/codec/lossless", "hstmae/models/fast"
LOSSLESS_SOURCES = (
    "_kernel",
    "_rows",
    "_lines",
    "_guesses",
    "_picture",
    "_quiet",
    "_opinions",
    "_scene",
    "_partners",
    "_places",
    "_colours",
    "_colours_dot",
)


def libraries(root: str = "") -> list[Extension]:
    """The compiled parts; root: what leads from where setup runs to the sources."""
    return [
        Extension(
            "hstmae.codec.lossless._kernel",
            sources=[f"{root}{LOSSLESS}/{name}.c" for name in LOSSLESS_SOURCES],
            depends=[f"{root}{LOSSLESS}/{name}.h" for name in ("_kernel", "_rows", "_picture", "_colours")],
            extra_compile_args=FLAGS,
            optional=True,
        ),
        Extension(
            "hstmae.models.fast._head", sources=[f"{root}{FAST}/_head.c"], extra_compile_args=FLAGS, optional=True
        ),
        Extension(
            "hstmae.motion._motion", sources=[f"{root}hstmae/motion/_motion.c"], extra_compile_args=FLAGS, optional=True
        ),
        Extension(
            "hstmae.motion._weighing",
            sources=[f"{root}hstmae/motion/{name}.c" for name in ("_weighing", "_network")],
            libraries=["m"] if os.name != "nt" else [],
            extra_compile_args=FLAGS,
            optional=True,
        ),
    ]


COMMANDS = {"build_ext": PlainLibrary, "bdist_wheel": AnyPython}

if __name__ == "__main__":
    setup(ext_modules=libraries(), cmdclass=COMMANDS)
