"""Using a trained model: restoring footage, finding damage, drawing the result."""
