"""The distribution hstmae-runtime: the package hstmae without its trained weights, and without PyTorch to depend on.

`pip install hstmae` brings PyTorch, and an extra can only add to that; so what needs none is a distribution of its own,
made of the same sources. Only one of the two is installed at a time.
"""

import re
import sys
from pathlib import Path

from setuptools import find_packages, setup

sys.path.insert(0, "..")
import importlib.util

spec = importlib.util.spec_from_file_location("whole", Path("..", "setup.py"))
whole = importlib.util.module_from_spec(spec)
spec.loader.exec_module(whole)

DATA = {
    "hstmae": ["py.typed"],
    "hstmae.bundled": ["configs/*.yaml", "samples/*.*", "samples/*/*/*"],
    "hstmae.codec.lossless": ["tables/*.tables"],
    "hstmae.codec.replay": ["tables/*.tables"],
    "hstmae.motion": ["*.npz"],
    "hstmae.serving": ["static/*"],
}

setup(
    version=re.search(r'__version__ = "(.+?)"', Path("..", "hstmae", "__init__.py").read_text("utf-8")).group(1),
    packages=find_packages("..", include=["hstmae*"]),
    package_dir={"": ".."},
    package_data=DATA,
    include_package_data=False,
    ext_modules=whole.libraries("../"),
    cmdclass=whole.COMMANDS,
)
