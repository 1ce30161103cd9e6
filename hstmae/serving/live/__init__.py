"""Streams: who publishes, who watches, and what is kept."""
