"""The compiled kernel of the lossless codec; everything else about the package is in pyproject.toml.

The kernel uses nothing of Python's C interface and is loaded with ctypes. It is optional: where no compiler is found
the package works with its slow pure-Python twin.
"""

import os

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class PlainLibrary(build_ext):
    """A shared library that only looks like an extension module, so that wheels and editable installs carry it."""

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return []  # there is no PyInit function: the C sources mark what they export


setup(
    ext_modules=[
        Extension(
            "hstmae.codec._kernel",
            sources=[f"hstmae/codec/{name}.c" for name in ("_kernel", "_picture", "_opinions", "_scene", "_partners")],
            depends=["hstmae/codec/_kernel.h", "hstmae/codec/_picture.h"],
            extra_compile_args=["-O3", "-fvisibility=hidden"] if os.name != "nt" else [],
            optional=True,
        )
    ],
    cmdclass={"build_ext": PlainLibrary},
)
