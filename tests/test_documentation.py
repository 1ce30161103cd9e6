"""The documentation as readers meet it: the notebook runs, paths exist, the site has its sections."""

from __future__ import annotations

import base64
import io
import re

import pytest

PATH = re.compile(
    r"`((?:hstmae|benchmarks|scripts|examples|tests|configs|checkpoints|data|docs|experiments)/[\w./-]*)`"
)
CODE = ("hstmae", "benchmarks", "scripts", "experiments", "data", "tests")
# Written by commands, or named as examples of what a user would have.
MADE_UP = ("cave.py", "run.yaml")
SPECIFIED = {"data/dataset.py", "models/utils.py", "training/trainer.py", "training/config.py", "training/losses.py"}
SPECIFIED |= {"utils/logging.py", "utils/metrics.py"}  # of the specification's tree, which its page shows
NOT_IN_A_CHECKOUT = (
    "data/preprocessed",
    "data/again",
    "checkpoints/mae_base_best.pth",
    "checkpoints/mae_large_best.pth",
)


def pages(root):
    texts = [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("hstmae/bundled/*/**/README.md")]
    assert len(texts) > 15
    return [p for p in texts if p.name != "CHANGELOG.md"]  # which names what there was


def test_sections_of_docstrings_are_sections_of_the_site(root):
    page = root / "site" / "api" / "restoring" / "index.html"
    if not page.is_file():
        pytest.skip("the site is not built: make docs")
    text = page.read_text(encoding="utf-8")
    assert "Predictor.restore" in text and "palette indices" in text
    assert "Raises:</span>" in text and "Raises: CheckpointError" not in text  # a section of its own


@pytest.mark.slow
def test_the_notebook_runs_and_shows_what_is_committed(root, tmp_path, monkeypatch, environment):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    from PIL import Image

    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    committed = nbformat.read(root / "examples" / "restore.ipynb", as_version=4)
    notebook = nbformat.read(root / "examples" / "restore.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    def results(book):
        outputs = [
            o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs if o.output_type != "error"
        ]
        picture = next(o.data["image/png"] for o in outputs if "image/png" in o.get("data", {}))
        text = "".join(o.get("text", "") for o in outputs)
        return Image.open(io.BytesIO(base64.b64decode(picture))).size, [
            float(n) for n in re.findall(r"([\d.]+) dB", text)
        ]

    size, figures = results(notebook)
    committed_size, committed_figures = results(committed)
    assert size == committed_size == (768, 240)
    assert figures == pytest.approx(committed_figures, abs=0.1) and figures[0] > 40


def test_paths_that_pages_name_exist(root):
    wrong = []
    for page in pages(root):
        for name in PATH.findall(page.read_text(encoding="utf-8")):
            if name not in SPECIFIED and not name.startswith(NOT_IN_A_CHECKOUT) and not (root / name).exists():
                wrong.append(f"{page.relative_to(root)}: {name}")
    assert not wrong


def test_files_and_modules_that_pages_name_exist(root):
    code = [p for folder in CODE for p in root.glob(f"{folder}/**/*") if p.suffix in (".py", ".c", ".h", ".yaml")]
    files = ["/" + p.relative_to(root).as_posix() for p in code]
    wrong = []
    for page in pages(root):
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"`([\w/]+\.(?:py|c|h|yaml))`", text):
            if name not in {*MADE_UP, *SPECIFIED} and not any(f.endswith("/" + name) for f in files):
                wrong.append(f"{page.relative_to(root)}: {name}")
        for name in re.findall(r"(?<![\w./])(hstmae(?:\.\w+)+)", text):
            if not is_in_package(root, name):
                wrong.append(f"{page.relative_to(root)}: {name}")
    assert not wrong


def is_in_package(root, name: str) -> bool:
    """Whether a dotted name leads to a module, and what follows the module is written in it."""
    at, parts = root, name.split(".")
    while parts and ((at / parts[0]).is_dir() or (at / f"{parts[0]}.py").is_file()):
        at = at / parts.pop(0)
        if at.with_suffix(".py").is_file():
            break
    module = at / "__init__.py" if at.is_dir() else at.with_suffix(".py")
    return not parts or parts[0] in module.read_text(encoding="utf-8")


def test_the_checks_notice_what_is_missing(root):
    assert is_in_package(root, "hstmae.codec.session.reader.HstReader") and is_in_package(root, "hstmae.load")
    for gone in ("hstmae.codec.reader", "hstmae.codec.session.reader.Reader2", "hstmae.nothing"):
        assert not is_in_package(root, gone)
    assert PATH.findall("see `hstmae/inference/atlas.py` and `configs/mae_nano.yaml`") == [
        "hstmae/inference/atlas.py",
        "configs/mae_nano.yaml",
    ]


def test_links_between_pages_lead_somewhere(root):
    wrong = []
    for page in pages(root):
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in link and not (page.parent / link).exists():
                wrong.append(f"{page.relative_to(root)}: {link}")
    assert not wrong


def test_both_readmes_say_the_same(root):
    """Commands and figures of the two languages; the prose is for people to compare."""
    english, korean = ((root / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md"))

    def commands(text):
        lines = (
            line.split("#")[0].strip()
            for block in re.findall(r"```bash\n(.*?)```", text, re.S)
            for line in block.split("\n")
        )
        return [line for line in lines if line]

    def figures(text):
        return re.findall(r"\d+\.\d+ (?:dB|%)|\d+,\d+", text)

    assert commands(english) == commands(korean)
    assert figures(english) == figures(korean)
