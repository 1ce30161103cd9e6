"""Replay streams: a console at both ends predicts memory and pictures; coded is what it has wrong."""
