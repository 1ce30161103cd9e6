"""What runs are trained on, looked at before PyTorch is loaded."""

from __future__ import annotations

from pathlib import Path


def check_data(path: str | Path) -> None:
    """Refuse what no run can be trained on: neither a store nor a .hst file (at an address: it is not looked for yet).

    Raises:
        DataError, StoreError, CodecError: what was found there; the store's own error says what to do.
    """
    from ...codec.session.reader import HstReader
    from ...data.store.reader import EpisodeStore
    from ...early import check_input
    from ...remote.files import url_of

    path = Path(path)
    if path.suffix.lower() != ".hst" or path.is_dir():
        EpisodeStore(path)
    elif url_of(path) is None:
        check_input(path)
        HstReader(path).close()
