"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core import hookimpl

if TYPE_CHECKING:
    import click

    from metaflow_core.api import Examination

__all__ = ["metaflow_commands", "metaflow_examinations"]


@hookimpl
def metaflow_commands(cli: click.Group) -> None:
    """Add ``mflow doctor``."""
    from metaflow_doctor.command import doctor

    cli.add_command(doctor)


@hookimpl
def metaflow_examinations() -> Iterable[Examination]:
    """What every capture and every store needs; a plugin with needs of its own offers its own."""
    from metaflow_core.api import Examination
    from metaflow_doctor import disk, instance, interfaces, kernel, ports, privileges, stores

    return [
        Examination("kernel", kernel.look),
        Examination("privileges", privileges.look),
        Examination("interfaces", interfaces.look),
        Examination("ports", ports.look),
        Examination("disk and memory", disk.look),
        Examination("store", stores.look),
        Examination("running instance", instance.look),
    ]
