"""What the model is told: tokens, canvas, regions, the memory of places, and what predicts the state."""
