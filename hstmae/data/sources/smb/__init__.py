"""Sources of Super Mario Bros. recordings: the published data set, movies, an emulator with an autoplayer."""
