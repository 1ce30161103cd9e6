"""Home of the preprocessed store, and of `python -m data.preprocessing`. The package itself is `hstmae`."""
