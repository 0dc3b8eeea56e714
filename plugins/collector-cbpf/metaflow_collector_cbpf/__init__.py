"""Live packets from Linux interfaces through AF_PACKET rings and classic BPF filters."""
