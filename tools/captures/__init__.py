"""Make the captures that tests and documentation use, from real servers."""
