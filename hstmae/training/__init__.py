"""Training of HST-MAE: losses, one step, optimiser and schedule, checkpoints, and the loop that ties them together."""
