"""The `.hst` container: chunks with checksums, groups of pictures, index, description. Knows no profile."""
