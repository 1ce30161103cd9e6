"""Recording agents: `RecordSession(env, "out.hst")` around a Gymnasium environment, or many of them."""

from __future__ import annotations

from typing import Any

__all__ = ["RecordSession"]


def __getattr__(name: str) -> Any:
    """Gymnasium is loaded when it is needed: what writes the file, in a process of its own, does without."""
    if name not in __all__:
        raise AttributeError(f"module 'hstmae.gym' has no attribute {name!r}")
    try:
        from .session import RecordSession
    except ModuleNotFoundError as error:
        if error.name != "gymnasium":
            raise
        raise ImportError("recording an environment needs Gymnasium: pip install 'hstmae[record]'") from None
    return RecordSession
