"""Light models: cut out of a larger one by measured importance, taught by it, and stored in few bytes."""
