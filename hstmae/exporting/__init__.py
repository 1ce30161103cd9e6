"""Models as files that run without PyTorch, and without Python."""
