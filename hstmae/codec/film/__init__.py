"""Profile *video*: a film's own packets in groups that start at key frames, and the rest of its file beside them."""
