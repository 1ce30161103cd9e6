"""Sessions that are watched while they happen: what is said on the wire, who sends it, and who watches."""
