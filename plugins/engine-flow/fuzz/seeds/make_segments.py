"""Makes the seeds of the fuzz target `segments`: python fuzz/seeds/make_segments.py (with metaflow_core installed)."""

from __future__ import annotations

from pathlib import Path

from metaflow_core.testing.segments import CIPHERTEXT, PLAINTEXT, ROLE_CLIENT, ROLE_SERVER, SegmentSocket

HERE = Path(__file__).parent / "segments"
REQUEST, RESPONSE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def main() -> None:
    """Write every seed."""
    near = SegmentSocket(1, local=("10.0.0.1", 40000), remote=("10.0.0.2", 80), role=ROLE_CLIENT)
    far = SegmentSocket(2, local=("fd00::2", 80), remote=("fd00::1", 40000), role=ROLE_SERVER)
    names = SegmentSocket(3, local=("10.0.0.53", 53), remote=("10.0.0.1", 5353), protocol=17)
    exchange = [near.opened(), near.send(REQUEST), near.receive(RESPONSE), near.closed()]
    tls = [
        far.receive(b"\x16\x03\x01\x02\x00"),
        far.receive(REQUEST, flags=PLAINTEXT),
        far.send(b"\x17", flags=CIPHERTEXT),
    ]
    losses = [far.lost(1, 90), far.send(RESPONSE, captured=9), far.receive(REQUEST), far.closed()]
    mixed = [names.receive(b"\0\1"), names.send(b"\0\1"), *exchange, *tls, *losses]
    for name, records in {
        "exchange": exchange,
        "tls": tls,
        "losses": losses,
        "mixed": mixed,
        "order": mixed[::-1],
    }.items():
        (HERE / name).write_bytes(b"".join(records))


if __name__ == "__main__":
    main()
