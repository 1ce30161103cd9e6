"""Training of the codec: RVQ books and decoder of the neural profile, tables of the lossless one."""
