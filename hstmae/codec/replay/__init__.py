"""Replay streams: a console that both ends have predicts memory and pictures; what it has wrong is all that is coded."""
