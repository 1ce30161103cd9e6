"""Motion recall: missing pixels of footage of anything, from what its other frames and the surroundings show."""
