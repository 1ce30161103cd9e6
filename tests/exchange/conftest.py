"""Sessions that are brought into other formats."""

from __future__ import annotations

from pathlib import Path

import pytest
from exchanged import episode

from hstmae.codec.session.encoder import encode_episode
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.writer import HstWriter


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """smb.hst with memory and generic.hst without."""
    folder = tmp_path_factory.mktemp("exchange")
    for game in ("smb", "generic"):
        with HstWriter(folder / f"{game}.hst") as writer:
            for k, frames in enumerate((2, 3)):
                for chunk in encode_episode(make_profile("lossless", game), episode(k, game, frames), k):
                    writer.append(chunk)
    return folder
