"""Input movies: of emulators, and the package's own."""
