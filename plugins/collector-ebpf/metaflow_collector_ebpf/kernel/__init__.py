"""Talking to the kernel: ELF and BTF as bytes, bpf(2) and perf_event_open(2) as calls. Standard library only."""
