"""Data sets on the Hub: .hst files, or what `hstmae exchange` wrote, with a card that says what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..codec.session.reader import HstReader
from ..errors import UsageError
from ..remote.hub import push
from .lerobot_reader import is_lerobot


def push_dataset(
    paths: Sequence[str | Path], repo: str, *, licence: str, private: bool = False, revision: str | None = None
) -> str:
    """Put .hst files, or one folder that `hstmae exchange` wrote, into a data set of the Hub.

    Args:
        repo: "owner/name".
        licence: of the footage, as the Hub names it, e.g. "cc-by-4.0"; it is yours to say.
        private, revision: as of `remote.hub.push`.
    Returns:
        Address of the commit.
    Raises:
        UsageError: neither .hst files nor one folder.
        DataError, CodecError: a file cannot be read, or the Hub refuses it.
    """
    files = [Path(path) for path in paths]
    whole = len(files) == 1 and files[0].is_dir()
    if not files or not (whole or all(path.suffix.lower() == ".hst" and path.is_file() for path in files)):
        raise UsageError("a data set of the Hub is .hst files, or one folder that `hstmae exchange` wrote")
    tags = ["LeRobot", "hstmae"] if whole and is_lerobot(files[0]) else ["hstmae"]
    card = _head(licence, tags) + (_of_folder(files[0], repo) if whole else _of_files(files, repo))
    return push(files, repo, "dataset", card=card, private=private, revision=revision)


def _head(licence: str, tags: Sequence[str]) -> str:
    lines = ["---", f"license: {licence}", "task_categories: [robotics, video-classification]"]
    return "\n".join([*lines, f"tags: [{', '.join(tags)}, games]", "---", "", ""])


def _of_files(files: Sequence[Path], repo: str) -> str:
    rows, games, frames, size = [], Counter[str](), 0, 0
    for path in files:
        with HstReader(path) as reader:
            own = reader.episodes()
            games.update(d.game for d in own)
            beside = [name for name, there in (("memory", own[0].state), ("buttons", own[0].actions)) if there]
            pictures = f"{own[0].width}x{own[0].height} at {own[0].fps:g} a second"
            held = ", ".join(["pictures", *beside])
            rows.append(f"| `{path.name}` | {len(own):,} | {len(reader):,} | {pictures} | {held} |")
            frames, size = frames + len(reader), size + path.stat().st_size
    return "\n".join([
        f"# {repo.partition('/')[2]}", "",
        f"{frames:,} frames of {', '.join(sorted(games))} in {size:,} bytes: sessions as seekable `.hst` files.", "",
        "| file | episodes | frames | pictures | holds |", "|---|---:|---:|---|---|", *rows, "",
        "```python", "from hstmae.codec.session.reader import HstReader", "",
        f'reader = HstReader("hf://datasets/{repo}/{files[0].name}")  # read by ranges',
        "frame = reader[0]  # pixels, palette, state, action", "```", "",
    ])  # fmt: skip


def _of_folder(folder: Path, repo: str) -> str:
    read = f'LeRobotDataset("{repo}")' if is_lerobot(folder) else "the library whose layout it has"
    return f"# {repo.partition('/')[2]}\n\nWritten by `hstmae exchange`; read it with {read}.\n"
