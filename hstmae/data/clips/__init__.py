"""Clips drawn from a store: sampling, augmentation, batches."""
