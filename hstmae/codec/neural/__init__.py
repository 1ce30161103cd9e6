"""The neural profile: latents of cubes as RVQ codes, and the model that draws them."""
