"""One training run: the loop, optimiser, ranks, validation, records."""
