"""The lossless kernel again in plain Python, where there is no compiler: byte for byte the same."""
