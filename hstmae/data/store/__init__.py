"""The store: a folder of preprocessed episodes, its writer, reader and manifest."""
