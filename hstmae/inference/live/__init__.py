"""Live restoration: frames come one by one and leave restored."""

from .network import RealtimeRestorer, Restored
from .restorer import LiveFrame, LiveRestorer

__all__ = ["LiveFrame", "LiveRestorer", "RealtimeRestorer", "Restored"]
