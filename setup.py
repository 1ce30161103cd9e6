"""The compiled parts, codec kernel and palette head; everything else about the package is in pyproject.toml.

They use nothing of Python's C interface and are loaded with ctypes. They are optional: where no compiler is found the
package works with the codec's slow pure-Python twin and draws pictures with torch.
"""

import os

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class PlainLibrary(build_ext):
    """A shared library that only looks like an extension module, so that wheels and editable installs carry it."""

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return []  # there is no PyInit function: the C sources mark what they export


FLAGS = ["-O3", "-fvisibility=hidden"] if os.name != "nt" else []

setup(
    ext_modules=[
        Extension(
            "hstmae.codec._kernel",
            sources=[f"hstmae/codec/{name}.c" for name in ("_kernel", "_picture", "_opinions", "_scene", "_partners")],
            depends=["hstmae/codec/_kernel.h", "hstmae/codec/_picture.h"],
            extra_compile_args=FLAGS,
            optional=True,
        ),
        Extension("hstmae.models._head", sources=["hstmae/models/_head.c"], extra_compile_args=FLAGS, optional=True),
    ],
    cmdclass={"build_ext": PlainLibrary},
)
