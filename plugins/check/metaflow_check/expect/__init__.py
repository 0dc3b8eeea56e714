"""What is expected: the file, its words, its mistakes."""
