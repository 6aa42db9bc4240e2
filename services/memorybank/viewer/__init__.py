"""`memory-viewer`: questions to the memory from a terminal."""
