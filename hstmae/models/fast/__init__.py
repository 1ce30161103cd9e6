"""Inference in compiled code: the palette head and the state canvas."""
