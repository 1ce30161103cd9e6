"""Whole jobs: encode sources into one `.hst` file, decode it into what the user wants."""
