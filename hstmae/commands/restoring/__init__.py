"""Parts of `hstmae restore`."""
