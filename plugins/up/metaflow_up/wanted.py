"""The options by which ``mflow up`` and ``mflow agent`` are told what to capture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from metaflow_up.choice import MODES, Wanted

__all__ = ["capture_options", "stop_option", "stopping_within", "wanted", "write_option"]


def capture_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; they come as one mapping's worth of keyword arguments for :func:`wanted`."""
    options = (
        click.option(
            "--interface",
            "-i",
            "interfaces",
            multiple=True,
            help="Interface name or pattern; may be repeated. Default: every one that is up.",
        ),
        click.option(
            "--filter",
            "capture_filter",
            metavar="BPF",
            help="Only packets that pass this capture filter, e.g. 'tcp port 3306'.",
        ),
        click.option(
            "--only-port",
            "ports",
            multiple=True,
            type=click.IntRange(1, 65535),
            help="Only connections with this port, in packets and in processes; may be repeated.",
        ),
        click.option(
            "--capture",
            "mode",
            type=click.Choice(MODES),
            default="auto",
            show_default=True,
            help="What to capture: packets, what processes do (ebpf), both, or what works here.",
        ),
        click.option("--no-ebpf", is_flag=True, help="The same as --capture packets."),
        click.option(
            "--keep-values",
            is_flag=True,
            help="Keep literals of SQL and values of Redis, which otherwise become ? (of live traffic).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def wanted(
    *,
    interfaces: tuple[str, ...],
    capture_filter: str | None,
    ports: tuple[int, ...],
    mode: str,
    no_ebpf: bool,
    keep_values: bool = False,
) -> Wanted:
    """What was asked for.

    :raises click.UsageError: two options contradict each other.
    """
    if no_ebpf and mode in ("ebpf", "both"):
        raise click.UsageError(f"--no-ebpf and --capture {mode} contradict each other; give one of them")
    return Wanted("packets" if no_ebpf else mode, interfaces, capture_filter, ports, keep_values)


stop_option = click.option(
    "--stop-within",
    "drain_s",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds that the last rows have to be stored after Ctrl-C, while they get fewer. Default: 60; then they are given up, and said.",
)
"""For every command that runs until it is stopped."""


def stopping_within(config: dict[str, Any], drain_s: float | None) -> dict[str, Any]:
    """The configuration with what was asked for of its end."""
    if drain_s is not None:
        config["service"]["drain_timeout_s"] = drain_s
    return config


def write_option(default_s: float, loses: str) -> Callable[[Any], Any]:
    """For every command that stores rows. :param loses: what a kill means for those that wait."""
    return click.option(
        "--write-every",
        "wait_s",
        type=click.FloatRange(min=0, max=3600),
        default=default_s,
        show_default=True,
        metavar="SECONDS",
        help=f"How long rows may wait in memory for more before they are written, while nobody asks for them; {loses}. 0: not at all.",
    )
