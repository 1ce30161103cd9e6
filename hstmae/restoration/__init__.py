"""The one way to restore a clip: recall and atlas first, the network for the rest. Whoever restores calls it."""
