"""Live packets through the pcap interface of WinPcap, Npcap and libpcap, by ctypes."""
