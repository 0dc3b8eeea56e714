"""Captures in three lines: no configuration, no server, no event loop.

Run it:  python embed_offline.py my.pcap
"""

from __future__ import annotations

import sys

import metaflow_core as mf


def main() -> None:
    """Print every exchange, then what a library would get."""
    capture = mf.read_pcap(sys.argv[1:])
    for row in capture.requests():
        print(
            f"{row['l7_protocol']:8} {row['request_type']} {row['endpoint'] or row['request_resource']} "
            f"{row['response_status']} {row['response_duration']} us"
        )
    failed = capture.requests().where("response_status != 'ok'")
    print(f"{len(capture.requests())} exchanges, {len(failed)} not answered well, tables: {', '.join(capture.tables)}")
    print(capture.flows().select("ip_0", "ip_1", "server_port", "byte_tx", "byte_rx").to_arrow().to_pydict())


if __name__ == "__main__":
    main()
