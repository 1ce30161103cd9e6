"""Decoding packets without their film: from memory of any kind, and by decoders that are dropped half way."""

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("av")

from film_kinds import KINDS, make

from hstmae.cli import main
from hstmae.codec.film.decoding import decoded, digest
from hstmae.codec.film.dividing import walk
from hstmae.film.reading import opened

_SETTING = ("extradata", "width", "height", "pix_fmt", "codec_tag", "bits_per_coded_sample")


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_behind_a_packet_in_memory_changes_nothing(kind: str, tmp_path: Path):
    """Decoders read on behind the end of a packet, and some decide by what they find there."""
    import av

    film = make(tmp_path / kind)
    found = walk(film, lambda count: None)
    with opened(film) as (container, stream):
        context = stream.codec_context
        setting = {name: getattr(context, name) for name in _SETTING}
        packets = [(bytes(packet), packet.is_keyframe) for packet in container.demux(stream) if packet.size]
    for behind in (bytes(64), bytes([255]) * 64, bytes([0, 0, 1, 0xB6]) * 16):
        decoder = av.CodecContext.create(context.name, "r")
        for name, value in setting.items():
            if value:
                setattr(decoder, name, value)
        coded = ((k, memoryview(data + behind)[: len(data)], key) for k, (data, key) in enumerate(packets))
        shown = [(number, digest(frame)) for number, frame in decoded(decoder, coded)]  # type: ignore[arg-type]
        assert shown == list(zip(found.shown, found.digests, strict=True))


def test_a_decoder_decodes_without_a_thread_for_each_frame():
    """Such threads may need Python's lock, which whoever drops the decoder holds: both would wait."""
    import av

    from hstmae.codec.film.decoding import decoder

    head = SimpleNamespace(
        decoder="h264", codec="h264", extradata=b"", width=64, height=48, pixel_format="yuv420p", bits=0, tag=b""
    )
    assert av.codec.context.ThreadType(decoder(head).thread_type) == av.codec.context.ThreadType.SLICE


@pytest.mark.parametrize("kind", ["plain.avi", "packed.wmv", "broken_up.mpg", "stream.ts"])
def test_a_film_is_kept_as_it_is_every_time(kind: str, tmp_path: Path):
    """Whatever memory its packets come to lie in."""
    film = make(tmp_path / kind)
    for k in range(6):
        assert main(["encode", str(film), str(tmp_path / f"{k}.hst"), "--gop", "10", "--profile", "video"]) == 0
    assert len({(tmp_path / f"{k}.hst").read_bytes() for k in range(6)}) == 1
