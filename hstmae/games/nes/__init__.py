"""The Nintendo Entertainment System as a console: any of its games, drawn from what its picture unit holds."""
