"""Every hook of MetaFlow. A hook that is not here does not exist.

All hooks are synchronous and cheap: no I/O, no threads, no reading of configuration. The component hooks are called
once per plugin while it is loaded; they return frozen factories and nothing is built until a pipeline names one. No hook
is ever called on the way of the data. If an implementation raises or returns what it may not, the plugin is marked
``failed`` with the reason, and the others go on (``--strict`` makes it an error). The order of installation never means
anything; ``tryfirst``, ``trylast`` and wrappers are refused on component hooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.hooks.markers import hookspec

if TYPE_CHECKING:
    import click

    from metaflow_core.api import (
        ArtifactLoader,
        CollectorFactory,
        DialectFactory,
        EngineFactory,
        Examination,
        ExporterFactory,
        LinkRuleFactory,
        ParserFactory,
        RefinerFactory,
        ServiceFactory,
        StorageFactory,
        TaggerFactory,
    )
    from metaflow_core.hooks.info import PluginInfo
    from metaflow_core.hooks.status import ComponentStatus


@hookspec
def metaflow_loaders() -> Iterable[ArtifactLoader]:
    """Offer loaders of parser artifacts, chosen by file suffix.

    Called once per plugin while it is loaded, before the other hooks matter, so that a runtime is itself a plugin.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_collectors() -> Iterable[CollectorFactory]:
    """Offer collectors (packets or kernel segments) and receivers (ready records).

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_engines() -> Iterable[EngineFactory]:
    """Offer flow engines: packets and segments in, records out.

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_parsers() -> Iterable[ParserFactory]:
    """Offer protocol parsers, with what they match (transports, ports, magics) and the runtimes they have.

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_refiners() -> Iterable[RefinerFactory]:
    """Offer refiners: names for what travels over other parsers' protocols.

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_taggers() -> Iterable[TaggerFactory]:
    """Offer taggers: what they know of an address, process or name becomes columns of a row.

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_storages() -> Iterable[StorageFactory]:
    """Offer storage backends, with their roles (write, read).

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_dialects() -> Iterable[DialectFactory]:
    """Offer query dialects.

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_exporters() -> Iterable[ExporterFactory]:
    """Offer exporters: they send records elsewhere.

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_services() -> Iterable[ServiceFactory]:
    """Offer long-running server modules (controller, querier, web) with their routes.

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_link_rules() -> Iterable[LinkRuleFactory]:
    """Offer rules that say which rows of a trace belong together, with the evidence of it.

    Called once per plugin while it is loaded, before any configuration is read.

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def metaflow_commands(cli: click.Group) -> None:
    """Add subcommands to the command line.

    Called once per plugin, only when the command line starts and needs them. Import heavy things inside the commands.

    :param cli: the root group of ``mflow``.

    .. versionadded:: 0.1
    """


@hookspec
def metaflow_examinations() -> Iterable[Examination]:
    """Offer looks at the machine: what the plugin needs of it, what is there, and what to do.

    Called once per plugin, when somebody asks (``mflow doctor``, ``GET /v1/doctor``).

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def metaflow_resolve(scheme: str, ref: str) -> str | None:
    """Resolve a ``${scheme:ref}`` placeholder of the configuration.

    Stops at the first answer that is not None. The core answers ``env`` and ``file`` itself. Called once per
    placeholder while a configuration is loaded; it may do I/O, and may raise with a sentence.

    :param scheme: what stands before the colon.
    :param ref: what stands after it, without a default.
    :returns: the text, or None for "not mine" or "not set".

    .. versionadded:: 0.1
    """


@hookspec(historic=True)
def metaflow_plugin_loaded(info: PluginInfo) -> None:
    """Hear the fate of each plugin: loaded, disabled, incompatible or failed.

    Historic: a plugin that is loaded later also hears what happened before.

    :param info: what is known of the plugin.

    .. versionadded:: 0.1
    """


@hookspec
def metaflow_status_changed(status: ComponentStatus) -> None:
    """Hear that a component started, degraded, failed or stopped.

    Coalesced: at most one call a second and component. Never called for data.

    :param status: the component, its new state and the sentence about it.

    .. versionadded:: 0.1
    """
