"""A session that is kept while it is watched: the very packets, as groups of an ordinary `.hst` file."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...codec.container.description import Description
from ...codec.container.group_chunks import pack_gop
from ...codec.lossless.live import STREAM, stream_of
from ...codec.session.writer import HstWriter
from ...live.log import LoggedGroup
from ...live.messages import Begun, Coded, Ended, unpack
from ..listing import url_of


class Recording:
    """One session of a stream, written to `folder`, readable while it grows.

    Args:
        folder: of the files that the server lists.
        stream: name of the stream.
        description: of the session.
    Attributes:
        path: of the file; url: where the server gives it.
    """

    def __init__(self, folder: Path, stream: str, description: Description) -> None:
        stamp, tried = time.strftime("%Y%m%d-%H%M%S"), 0
        self.path = folder / f"{stream}-{stamp}.hst"
        while self.path.exists():
            tried += 1
            self.path = folder / f"{stream}-{stamp}-{tried}.hst"
        self.url = url_of(self.path.name)
        self._writer = HstWriter(self.path, live=True)
        self._description, self._frames, self._begun = description, 0, False
        self._last = -1  # number of the last group that was taken

    def add(self, group: LoggedGroup) -> None:
        """The frames that a group has."""
        if group.number <= self._last or not group.frames:
            return
        found = [unpack(message) for message in group.messages]
        head = found[0]
        assert isinstance(head, Begun)
        packets = [message.packet for message in found if isinstance(message, Coded)]
        digest = next((message.digest for message in found if isinstance(message, Ended)), b"")
        numbers = head.first + np.arange(len(packets), dtype=np.int32)
        if not self._begun:
            self._writer.append(self._description.pack(0))
            self._begun = True
        streams = {STREAM: stream_of(packets)}
        self._writer.append(pack_gop(self._description, 0, self._frames, numbers, streams, digest))
        self._frames += len(packets)
        self._last = group.number

    def close(self, outcome: str) -> None:
        """The file is complete; it is removed where nothing was recorded."""
        if not self._begun:
            self._writer.__exit__(Exception, None, None)
            return
        self._writer.append(replace(self._description, frames=self._frames, outcome=outcome).pack(0))
        self._writer.close()
