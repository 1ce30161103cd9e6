"""What lies at a path: a data set of another program, or anything that `hstmae encode` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from ..codec.jobs.inputs import Found, find_input
from ..data.sources.video import VideoOptions
from ..errors import DataError, UsageError
from .frame_files import find_frame_files, is_frame_files
from .lerobot_finding import find_lerobot
from .lerobot_reader import is_lerobot
from .minari import find_minari, is_minari
from .recordings import find_recordings, is_recordings

FOREIGN = {
    "lerobot": (is_lerobot, find_lerobot),
    "minari": (is_minari, find_minari),
    "recordings": (is_recordings, find_recordings),
    "npz": (is_frame_files, find_frame_files),
}


def kind_of_set(path: Path) -> str:
    """Which program's data set lies at a path; "" = none of them."""
    return next((name for name, (recognises, _) in FOREIGN.items() if recognises(path)), "")


def find_exchange(
    path: Path, *, game: str | None = None, video: VideoOptions | None = None, wanted: Sequence[str] = (),
    lag: int | None = None, camera: str | None = None, form: str = "auto",
) -> tuple[Found, list[str]]:  # fmt: skip
    """The episodes at a path, and what of them is not kept, one line each.

    Args:
        game, video, wanted, lag: as of `find_input`.
        camera: which picture of a data set with several; None = the only one.
        form: which program's data set it is; "auto" = by its marks.
    Raises:
        UsageError, DataError: nothing there that can be read, or no episode is wanted; as the readers say.
    """
    kind = kind_of_set(path) if form == "auto" else form
    if not kind:
        if camera is not None:
            raise UsageError(f"--camera {camera}: {path} is no data set with cameras")
        return find_input(path, game, video or VideoOptions(), wanted, lag), []
    recognises, find = FOREIGN[kind]
    if not recognises(path):
        raise DataError(f"{path}: is no {kind} data set, as --from says; leave --from out to have it found")
    found, lost = find(path, camera)
    chosen = [e for e in found.episodes if not wanted or any(fnmatchcase(e.name, pattern) for pattern in wanted)]
    if not chosen:
        raise UsageError(f"{path} has no episode {', '.join(wanted)}; the first is '{found.episodes[0].name}'")
    return replace(found, episodes=chosen), lost
