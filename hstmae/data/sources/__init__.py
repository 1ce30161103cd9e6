"""Sources of episodes: each turns recorded files into frames with state, actions and palette."""
