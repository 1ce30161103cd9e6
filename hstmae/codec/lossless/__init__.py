"""The lossless profile: context-mixing coder, its C kernel and the pure-Python twin."""
