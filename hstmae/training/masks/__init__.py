"""What a training step hides and asks for: curriculum, adversarial and semantic masks."""
