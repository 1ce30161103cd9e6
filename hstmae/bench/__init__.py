"""Our profiles beside general compressors and video codecs, on the user's own footage."""
