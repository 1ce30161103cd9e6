"""Writing FCEUX text movies, to check that they are read."""

from __future__ import annotations

from hstmae.data.sources.movies.fm2 import FM2_BITS
from hstmae.data.sources.movies.movie import Movie

ORDER = "RLDUTSBA"


def format_fm2(movie: Movie) -> bytes:
    """A movie without pokes, which that format cannot hold."""
    assert not movie.pokes
    commands = {frame: 2 if kind == "hard" else 1 for frame, kind in movie.resets}
    lines = ["version 3", "emuVersion 22020", "palFlag 0", f"romFilename {movie.game}", "fourscore 0"]
    lines += ["port0 1", "port1 0", "port2 0", "binary 0", f"length {len(movie)}"]
    pads = ["".join(c if a & bit else "." for c, bit in zip(ORDER, FM2_BITS, strict=True)) for a in range(256)]
    lines += [f"|{commands.get(t, 0)}|{pads[action]}|||" for t, action in enumerate(movie.actions.tolist())]
    return ("\n".join(lines) + "\n").encode("ascii")
