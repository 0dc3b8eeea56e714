"""Capture files as a source of packets: pcap and pcapng, plain or compressed, one or several merged by time."""
