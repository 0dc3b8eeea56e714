"""Wireshark's dissectors as a slow, broad second opinion on capture files."""
