"""Which pixels are missing: from files, found in the picture, or drawn as damage."""
