"""Clips into a store, a .hst file, or the format of another program; and how they were edited, read back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..codec.jobs.encode_many import archive
from ..codec.jobs.inputs import find_input
from ..codec.jobs.tasks import Settings
from ..data.sources.base import NothingUsable, SourceEpisode
from ..data.sources.video import VideoOptions
from ..data.store.manifest import META
from ..data.store.recording import record_into_store
from ..data.store.told import SCENARIOS
from ..errors import DataError
from ..exchange.finding import find_exchange
from ..exchange.lerobot_writer import write_lerobot
from ..exchange.minari_writer import check_name, write_minari
from ..exchange.outgoing import outgoing
from ..exchange.webdataset import scenarios_of_shards, write_webdataset
from ..output import filling

FORMS = ("store", "hst", "lerobot", "minari", "webdataset")
KIND = "augment"


def check_form(out: Path, form: str) -> None:
    """Raises UsageError where a name does not suit a format."""
    if form == "minari":
        check_name(out)


def write_clips(
    clips: Iterable[SourceEpisode], out: Path, form: str, game: str, overwrite: bool = False
) -> dict[str, Any]:
    """Write clips, and how each was edited beside them.

    Args:
        clips: with `told`, see `Drawn`; one after the other as they come. For all forms but "store" they lie in a store
            beside the output until all are there.
        form: one of FORMS.
    Returns:
        "frames" and "hash" of the clips, JSON values; 0 and "" where there is none, and then nothing is written.
    Raises:
        DataError, UsageError: as of the writers.
    """
    if form == "store":
        return _stored(clips, out, game)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}.") as folder:
        made = _stored(clips, Path(folder) / "store", game)
        if not made["frames"]:
            return made
        found = find_input(Path(folder) / "store", None, VideoOptions())
        if form == "hst":
            archive(found, out, Settings(fail=True), workers=1, overwrite=overwrite)
        else:
            source = outgoing(found)
            with filling(out, overwrite) as target:
                if form == "lerobot":
                    write_lerobot(source, target)
                elif form == "minari":
                    write_minari(source, target, out.name)
                else:
                    write_webdataset(source, target)
    return made


def _stored(clips: Iterable[SourceEpisode], out: Path, game: str) -> dict[str, Any]:
    try:
        made = record_into_store(clips, out, game=game, kind=KIND)
    except NothingUsable:  # whoever makes the clips says why
        return {"frames": 0, "hash": ""}
    return {"frames": made.frames, "hash": made.hash}


def read_scenarios(path: str | Path) -> dict[str, dict[str, Any]]:
    """How the clips at a path were edited, by their names: `Drawn.record` of each.

    Args:
        path: what `write_clips` wrote, or `hstmae exchange`, `encode` or `decode` made of it.
    Raises:
        DataError, UsageError: nothing there that can be read.
    """
    path = Path(path)
    if path.is_dir() and not (path / META).is_file() and any(path.glob("shard-*.tar")):
        return scenarios_of_shards(path)
    found, _ = find_exchange(path)
    told = found.columns.get(SCENARIOS, {})
    if not isinstance(told, dict):
        raise DataError(f"{path}: what it says of how its clips were edited is damaged")
    return {str(name): dict(record) for name, record in told.items() if isinstance(record, dict)}
