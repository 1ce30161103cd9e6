"""The web page: `hstmae serve`, and what browsers play `.hst` files with (static/, built from web/)."""
