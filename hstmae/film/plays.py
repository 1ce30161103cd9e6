"""How often an animated picture is to be shown, which FFmpeg's readers do not tell."""

from __future__ import annotations

from pathlib import Path

_HEAD = 1 << 16  # bytes of a file in which that is said
_GIF, _PNG = b"NETSCAPE2.0\x03\x01", b"acTL"


def plays_of(path: Path) -> int | None:
    """Of a GIF or animated PNG file: 0 = for ever; None for other files, which do not say it."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"GIF8"):
        at = head.find(_GIF)
        again = None if at < 0 else int.from_bytes(head[at + len(_GIF) : at + len(_GIF) + 2], "little")
        return 1 if again is None else again and again + 1
    if head.startswith(b"\x89PNG") and (at := head.find(_PNG)) > 0:
        return int.from_bytes(head[at + 8 : at + 12], "big")
    return None


def plays_option(container: str, plays: int | None) -> dict[str, str]:
    """FFmpeg's option for it; nothing where the kind of file has none, or nobody says how often."""
    if plays is None:
        return {}
    again = {0: 0, 1: -1}.get(plays, plays - 1)
    return {"gif": {"loop": str(again)}, "apng": {"plays": str(plays)}}.get(container, {})


def plays_lost(wanted: int | None, there: int | None) -> list[str]:
    """What a file that says `there` does not keep."""
    if wanted is None or wanted == (1 if there is None else there):
        return []
    how = "for ever" if not wanted else "once" if wanted == 1 else f"{wanted} times"
    return [f"that it is shown {how}"]
