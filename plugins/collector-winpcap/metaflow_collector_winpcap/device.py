"""One open capture device; frames leave it as whole blocks of pcap records."""

from __future__ import annotations

import ctypes
import sys
import tempfile
from pathlib import Path

from metaflow_collector_winpcap.library import ERRBUF_SIZE, BpfProgram, PcapStat
from metaflow_core.errors import ConfigError, Problem, StartError, UnavailableError

__all__ = ["Device"]

_FILE_HEADER = 24
_BATCH = 4096
_NETMASK_UNKNOWN = 0xFFFF_FFFF


class Device:
    """A capture device, used by one thread.

    :raises UnavailableError: this user may not open it. :raises StartError: it cannot be opened.
    :raises ConfigError: the filter is wrong.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        name: str,
        *,
        capture_filter: str | None,
        snap_len: int,
        promiscuous: bool,
        read_ms: int,
    ) -> None:
        self.name = name
        self._library = library
        self._folder = tempfile.TemporaryDirectory(prefix="metaflow-winpcap-", dir=_memory_folder())
        self._path = Path(self._folder.name) / "block"
        self._last = (0, 0)
        errors = ctypes.create_string_buffer(ERRBUF_SIZE)
        self._handle = library.pcap_open_live(name.encode(), snap_len, int(promiscuous), read_ms, errors)
        if not self._handle:
            self._folder.cleanup()
            reason = errors.value.decode(errors="replace")
            if "permi" in reason.lower():
                raise UnavailableError(f"device {name}: {reason}; run as root or administrator")
            raise StartError(f"device {name}: cannot be opened: {reason}")
        try:
            if capture_filter:
                self._set_filter(capture_filter)
            # without this, pcap_dispatch waits for ever on an idle Linux interface (TPACKET_V3's timer needs a packet)
            library.pcap_setnonblock(self._handle, 1, errors)
            self.link_type = int(library.pcap_datalink(self._handle))
        except BaseException:
            self.close()
            raise

    def _set_filter(self, text: str) -> None:
        library, program = self._library, BpfProgram()
        if library.pcap_compile(self._handle, ctypes.byref(program), text.encode(), 1, _NETMASK_UNKNOWN) != 0:
            reason = library.pcap_geterr(self._handle).decode(errors="replace")
            raise ConfigError(
                [Problem("filter", f"the capture filter {text!r} is wrong: {reason}; see pcap-filter(7)")]
            )
        try:
            if library.pcap_setfilter(self._handle, ctypes.byref(program)) != 0:
                raise StartError(f"device {self.name}: {library.pcap_geterr(self._handle).decode(errors='replace')}")
        finally:
            library.pcap_freecode(ctypes.byref(program))

    def take(self, block_bytes: int) -> tuple[bytes, int]:
        """What has arrived, up to about ``block_bytes``: pcap records (microseconds, this machine's byte order), and how many.

        :raises OSError: the device went away.
        """
        library = self._library
        dumper = library.pcap_dump_open(self._handle, str(self._path).encode())
        if not dumper:
            raise OSError(f"device {self.name}: {library.pcap_geterr(self._handle).decode(errors='replace')}")
        callback = ctypes.cast(library.pcap_dump, ctypes.c_void_p)
        packets, calls = 0, max(1, block_bytes // (_BATCH * 256))
        try:
            for _ in range(calls):
                count = library.pcap_dispatch(self._handle, _BATCH, callback, dumper)
                if count < 0:
                    raise OSError(f"device {self.name}: {library.pcap_geterr(self._handle).decode(errors='replace')}")
                packets += count
                if count < _BATCH:
                    break
        finally:
            library.pcap_dump_close(dumper)
        return (self._path.read_bytes()[_FILE_HEADER:], packets) if packets else (b"", 0)

    def drops(self) -> tuple[int, int]:
        """``(by the kernel's buffer, by the interface)`` since the last call."""
        statistics = PcapStat()
        if self._library.pcap_stats(self._handle, ctypes.byref(statistics)) != 0:
            return 0, 0
        now = (statistics.dropped, statistics.interface_dropped)
        # the library counts in 32 bits, since the device was opened
        delta = tuple((new - old) & 0xFFFF_FFFF for new, old in zip(now, self._last, strict=True))
        self._last = now
        return delta[0], delta[1]

    def close(self) -> None:
        """Close the device. Idempotent."""
        if self._handle:
            self._library.pcap_close(self._handle)
            self._handle = None
            self._folder.cleanup()


def _memory_folder() -> str | None:
    """Where files cost no disk, if the system has such a place."""
    shm = Path("/dev") / "shm"
    return str(shm) if sys.platform.startswith("linux") and shm.is_dir() else None
