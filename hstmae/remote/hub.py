"""Models and data sets on the Hugging Face Hub: put there with a card."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError

CARD = "README.md"
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def push(
    files: Sequence[Path], repo: str, kind: str, *, card: str | None = None, private: bool = False,
    revision: str | None = None, message: str = "Upload by hstmae",
) -> str:  # fmt: skip
    """Put files, and all that is in folders, into a repository of the Hub, which is made where it is not there.

    All of them come in one commit: whoever looks sees all or none.

    Args:
        files: under their own names; of a folder what is in it.
        repo: "owner/name".
        kind: "model" or "dataset".
        card: text of README.md; None = one that is among the files, if any.
        private: of a new repository.
        revision: branch, made where it is not there; None = the main one.
    Returns:
        Address of the commit.
    Raises:
        UsageError: no name of a repository, or huggingface_hub is missing.
        DataError: the Hub refuses it, or cannot be reached.
    """
    if not _NAME.fullmatch(repo):
        raise UsageError(f"'{repo}' is no repository of the Hub; give owner/name")
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
    except ImportError:
        raise UsageError("the Hub needs another library: pip install 'hstmae[hub]'") from None
    named: dict[str, Path | bytes] = {}
    for path in files:
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        named |= {(p.relative_to(path) if path.is_dir() else Path(p.name)).as_posix(): p for p in inside}
    if card is not None:
        named[CARD] = card.encode("utf-8")
    operations = [
        CommitOperationAdd(name, value if isinstance(value, bytes) else str(value)) for name, value in named.items()
    ]
    try:
        api: Any = HfApi()
        api.create_repo(repo, repo_type=kind, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo, branch=revision, repo_type=kind, exist_ok=True)
        made = api.create_commit(repo, operations, commit_message=message, repo_type=kind, revision=revision)
    except Exception as error:  # the library's, and those of what it fetches with
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"cannot put {repo} on the Hugging Face Hub ({line}); `hf auth login` signs in") from error
    return str(getattr(made, "commit_url", made))
