"""Arrays -> sheets and panels for people."""
