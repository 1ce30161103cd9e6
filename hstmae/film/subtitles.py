"""Subtitles of text from one container's form into another's: words and times stay, how they look does not."""

from __future__ import annotations

import re
from typing import Any

TEXT_OF = {"matroska": "subrip", "mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}  # the form a container takes
_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour
Style: Default,Arial,16,&Hffffff

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""  # which FFmpeg's encoders of text want, and mostly pass over
_TAG = re.compile(r"</?(?:i|b|u|s|c|v|font|ruby|rt|lang)(?:[ .][^<>]*)?>", re.IGNORECASE)
_OVERRIDE = re.compile(r"\{[^{}]*\}")


def converted(container: Any, codec: str) -> Any:
    """A new stream of an open output for subtitles that were coded as `codec`; None where it takes no text of ours."""
    form = TEXT_OF.get(container.format.name)
    if form is None or codec not in ("subrip", "srt", "text", "mov_text", "webvtt", "ass", "ssa"):
        return None
    stream = container.add_stream(form)
    stream.codec_context.subtitle_header = _HEADER
    return stream


def recoded(data: bytes, codec: str, form: str) -> tuple[bytes, bool]:
    """A packet's bytes in another form (b"" where it shows nothing), and whether the text lost its looks."""
    words, styled = _words(data, codec)
    if not words.strip():
        return b"", False
    if form != "subrip" and (plain := _TAG.sub("", words)) != words and codec != "webvtt":
        words, styled = plain, True
    text = words.encode()
    return (len(text).to_bytes(2, "big") + text if form == "mov_text" else text), styled


def _words(data: bytes, codec: str) -> tuple[str, bool]:
    if codec == "mov_text":
        end = 2 + int.from_bytes(data[:2], "big")
        return data[2:end].decode("utf-8", "replace"), end < len(data)
    text = data.decode("utf-8", "replace")
    if codec in ("ass", "ssa"):
        text = text.split(",", 8)[-1]
        plain = _OVERRIDE.sub("", text)
        return plain.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " "), True
    if codec == "webvtt" and (plain := _TAG.sub("", text)) != text:
        return plain, True
    return text, False
