"""Decoders of films that are dropped half way, as those of damaged films are."""

from types import SimpleNamespace

import pytest


def test_a_decoder_decodes_without_a_thread_for_each_frame():
    """Such threads give packets back under Python's lock, which whoever drops the decoder holds: both would wait."""
    av = pytest.importorskip("av")
    from hstmae.codec.film.decoding import decoder

    head = SimpleNamespace(
        decoder="h264", codec="h264", extradata=b"", width=64, height=48, pixel_format="yuv420p", bits=0, tag=b""
    )
    assert av.codec.context.ThreadType(decoder(head).thread_type) == av.codec.context.ThreadType.SLICE
