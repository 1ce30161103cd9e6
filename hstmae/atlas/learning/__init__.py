"""Learning an atlas from a store: map votes, looks of tiles and objects, visits of places."""
