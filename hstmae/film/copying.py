"""A film into another container: all packets as they are, nothing is decoded."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from ..atomic import replacing
from ..errors import UsageError
from .checking import differences
from .codecs import container_of
from .others import Others, told
from .plays import plays_option
from .reading import FilmReader, opened


def copy_film(source: Path, target: Path) -> list[str]:
    """Write the streams of `source` to `target`, whole or not at all; its suffix names the container.

    Returns:
        What could not be kept, one sentence each.
    Raises:
        DataError: `source` is no film.
        UsageError: there is no such container, or it does not take the pictures as they are.
    """
    import av

    reader = FilmReader(source)
    facts = reader.facts
    with replacing(target) as temp:
        try:
            with ExitStack() as stack:
                container, pictures = stack.enter_context(opened(source))
                options = plays_option(form := container_of(target), facts.plays)
                written = stack.enter_context(av.open(str(temp), "w", format=form, container_options=options))
                stream = written.add_stream_from_template(pictures, opaque=True)
                stream.metadata.update(told(facts.stream_metadata))
                stream.disposition = pictures.disposition
                if facts.display_matrix is not None:
                    stream.set_display_matrix(facts.display_matrix)
                others = Others(stack, written, source, facts, Fraction(0), None)
                written.metadata.update(told(facts.metadata))
                written.set_chapters(container.chapters())
                for packet in container.demux(pictures):
                    stamp = packet.dts if packet.dts is not None else packet.pts
                    if not packet.size:
                        continue
                    if stamp is not None:
                        others.until(stamp * Fraction(packet.time_base))
                    packet.stream = stream
                    written.mux(packet)
                others.until(None)
        except (av.FFmpegError, ValueError) as error:
            others_do = sorted({".mkv", source.suffix} - {target.suffix})
            raise UsageError(
                f"{target.suffix} films do not take {facts.codec} pictures as they are ({error}); "
                f"try {' or '.join(others_do)}"
            ) from None
        return others.lost + differences(temp, facts, reader.layout, True, others.left_out)
