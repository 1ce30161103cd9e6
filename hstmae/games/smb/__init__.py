"""Super Mario Bros. (NES): everything that is true of this game alone."""
