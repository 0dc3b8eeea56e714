"""What processes send and receive, seen from the Linux kernel by eBPF."""
