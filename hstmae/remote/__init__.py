"""Files in object stores and on the Hub: read by ranges, or copied here and put there whole."""
