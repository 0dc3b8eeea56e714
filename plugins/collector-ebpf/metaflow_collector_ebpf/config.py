"""Options of the collector."""

from __future__ import annotations

from typing import Literal

from metaflow_core import Config, Field

__all__ = ["EbpfConfig", "TlsConfig"]


class TlsConfig(Config):
    """Plain text of TLS connections, taken at the functions of OpenSSL, GnuTLS and Go."""

    enabled: bool = Field(
        True, description="Look into TLS connections of processes that use OpenSSL, GnuTLS or Go's crypto/tls."
    )
    processes: tuple[str, ...] = Field(
        ("*",), min_length=1, description="Names of programs (shell patterns) whose TLS is looked into."
    )
    exclude: tuple[str, ...] = Field((), description="Names of programs (shell patterns) whose TLS is left alone.")
    calls_per_second: int = Field(
        20_000,
        ge=0,
        description="A process that reads and writes more often than this is left alone from then on, since a traced call costs about "
        "4 microseconds; 0 never.",
    )
    rescan_s: float = Field(
        5.0, gt=0, description="How often all processes are looked at for TLS libraries, in seconds."
    )


class EbpfConfig(Config):
    """Which processes to watch, and how."""

    backend: Literal["auto", "core", "bcc"] = Field(
        "auto",
        description="core: the compiled programs of this plugin; bcc: compiled here by the distribution's python3-bpfcc; auto: the first that works.",
    )
    processes: tuple[str, ...] = Field(
        (), max_length=100, description="Only programs with these names (shell patterns); empty: all."
    )
    exclude_processes: tuple[str, ...] = Field(
        (), max_length=100, description="Programs with these names are left out (shell patterns)."
    )
    exclude_pids: tuple[int, ...] = Field(
        (), description="Process numbers that are left out; the collector itself always is."
    )
    ports: tuple[int, ...] = Field(
        (), max_length=512, description="Only connections with one of these ports; empty: all."
    )
    exclude_ports: tuple[int, ...] = Field(
        (), max_length=512, description="Ports of connections that are left out, for example MetaFlow's own."
    )
    cgroups: tuple[str, ...] = Field(
        (),
        description="Only processes in these cgroups (paths below /sys/fs/cgroup, without what is below them); empty: all.",
    )
    exclude_cgroups: tuple[str, ...] = Field((), description="Processes in these cgroups are left out.")
    capture_bytes: int = Field(1024, ge=0, le=4096, description="Bytes of payload that are kept of a call.")
    ring_mib: int = Field(
        16, ge=1, le=1024, description="Size of the ring buffer in MiB; a power of two is used, at least this."
    )
    wakeup_bytes: int = Field(
        1_048_576,
        ge=0,
        description="The drain is woken when this much is queued (at most a quarter of the ring), and looks every tick_ms anyway; 0: at each record.",
    )
    tick_ms: int = Field(100, ge=5, le=1000, description="How long a record may wait for others, in milliseconds.")
    goroutines: bool = Field(
        True,
        description="Tell the goroutines of Go programs (1.18 to 1.26) apart, and with one probe which of them sends a request through net/http's client; "
        "without, only headers link what Go programs do.",
    )
    tls: TlsConfig = Field(default_factory=TlsConfig, description="Plain text of TLS connections.")
