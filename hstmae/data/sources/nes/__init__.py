"""Recording any game of the NES from an emulator."""
