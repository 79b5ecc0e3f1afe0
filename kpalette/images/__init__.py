"""One picture: in memory, decoded, encoded, its files, metadata and colour profiles."""
