"""Sessions as small, safe, seekable files: profiles turn groups of pictures into streams, a container keeps them."""
