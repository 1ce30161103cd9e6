"""Sessions in a container: reader, writer, recovery, verification, and the registry of profiles."""
