"""Films: their facts, their frames with native samples, and films written from them. Needs PyAV (extra `video`)."""
