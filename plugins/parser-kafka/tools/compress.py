"""Writes tests/data/compressed.txt: the same text by each compressor that Kafka's clients use (`pip install cramjam`)."""

import gzip
from pathlib import Path

import cramjam

TEXT = b"traceparent=00-4bf92f" * 20


def main() -> None:
    """One line for each: the number in a batch's attributes, and the bytes."""
    block = bytes(cramjam.snappy.compress_raw(TEXT))
    java = b"\x82SNAPPY\0" + b"\0\0\0\1" * 2
    half = len(TEXT) // 2
    for part in (TEXT[:half], TEXT[half:]):
        chunk = bytes(cramjam.snappy.compress_raw(part))
        java += len(chunk).to_bytes(4, "big") + chunk
    lines = [(1, gzip.compress(TEXT, mtime=0)), (2, block), (2, java), (3, bytes(cramjam.lz4.compress(TEXT)))]
    path = Path(__file__).parent.parent / "tests" / "data" / "compressed.txt"
    path.write_text("".join(f"{kind} {data.hex()}\n" for kind, data in lines))


main()
