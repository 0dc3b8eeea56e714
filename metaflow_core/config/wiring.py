"""Pipelines: that every name is a component, and that the components fit together."""

from __future__ import annotations

from collections.abc import Sequence

from metaflow_core.api.factories import CollectorFactory, StorageFactory
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.config.components import Components
from metaflow_core.config.document import section
from metaflow_core.config.explain import nearest
from metaflow_core.config.loaded import ComponentKey, PipelineConfig
from metaflow_core.config.node import Node
from metaflow_core.config.sections import COMPONENT_KINDS, PipelineSection
from metaflow_core.errors import Problem

__all__ = ["Wiring"]

_PIPED = (Kind.COLLECTOR, Kind.ENGINE, Kind.PARSER, Kind.REFINER, Kind.TAGGER, Kind.STORAGE, Kind.EXPORTER)


class Wiring:
    """The pipelines of a configuration."""

    def __init__(self, tree: Node, components: Components) -> None:
        self._components = components
        self._used: set[ComponentKey] = set()
        self.pipelines: dict[str, PipelineConfig] = {}
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        node = tree.map.get("pipelines", Node({}))
        if not node.is_map and node.value is not None:
            self._problem("pipelines", f"a map of names to pipelines is expected, found {node.word}", node)
        for name in node.map:
            self._pipeline(node, name)
        self._dialects()
        self._unused()

    def _pipeline(self, pipelines: Node, name: str) -> None:
        node = pipelines.map[name]
        model, found = section(pipelines, name, PipelineSection)
        self.problems.extend(
            Problem(f"pipelines.{problem.path}", problem.message, problem.file, problem.line) for problem in found
        )
        if model is None:
            # what is named in a broken pipeline is not "unused"
            for kind in _PIPED:
                listed = node.get(kind.section)
                for item in listed.items if listed is not None else []:
                    self._used |= {key for key in self._components.found if (key[0], str(key[1])) == (kind, item.value)}
            engine = node.get("engine")
            if engine is not None:
                self._used |= {
                    key for key in self._components.found if (key[0], str(key[1])) == (Kind.ENGINE, engine.value)
                }
            return
        pipeline = PipelineConfig(
            name=name,
            collectors=self._ids(Kind.COLLECTOR, name, node, model.collectors),
            engine=self._engine(name, node, model),
            parsers=self._parsers(name, node, model),
            refiners=self._ids(Kind.REFINER, name, node, model.refiners),
            taggers=self._ids(Kind.TAGGER, name, node, model.taggers),
            storages=self._ids(Kind.STORAGE, name, node, model.storages),
            exporters=self._ids(Kind.EXPORTER, name, node, model.exporters),
            queue=model.queue,
            gather=model.gather,
            on_error=model.on_error,
            optional=self._optional(model),
        )
        self._writable(name, node, pipeline)
        if pipeline.engine is None and model.parsers != ("*",) and model.parsers:
            self._problem(f"pipelines.{name}.parsers", "parsers need an engine; name one under engine", node)
        self.pipelines[name] = pipeline

    def _ids(self, kind: Kind, name: str, node: Node, texts: Sequence[str]) -> tuple[ComponentId, ...]:
        found: list[ComponentId] = []
        listed = node.get(kind.section)
        for index, text in enumerate(texts):
            place = listed.find((index,)) if listed is not None else node
            path = f"pipelines.{name}.{kind.section}[{index}]"
            cid = self._resolve(kind, ComponentId.parse(text), path, place)
            if cid is not None:
                found.append(cid)
        return tuple(found)

    def _resolve(self, kind: Kind, cid: ComponentId, path: str, place: Node) -> ComponentId | None:
        components = self._components
        self._used.add((kind, cid))
        if (kind, cid) in components.found:
            return cid
        if (kind, cid) in components.broken:
            return None
        configured = [str(other) for other_kind, other in components.found if other_kind is kind]
        types = [name for name, _ in components.all_of(kind)]
        if cid.name or cid.type not in types:
            # "clickhouse/mian" is a slip of the pen, not a wish for another component with defaults
            wrong_kind = next((k for k in COMPONENT_KINDS if (k, cid) in components.found and k is not kind), None)
            hint = nearest(str(cid), sorted({*configured, *types}))
            if wrong_kind is not None:
                hint = f"; {str(cid)!r} is a {wrong_kind}, not a {kind}"
            if cid.type in types and not hint.startswith("; did you mean"):
                hint = f"; configure it: {kind.section}: {{{cid}: {{...}}}}"
            self._problem(path, f"there is no {kind} {str(cid)!r}{hint}{components.failed(cid.type)}", place)
            return None
        return cid if components.implicit(kind, cid, place) else None

    def _engine(self, name: str, node: Node, model: PipelineSection) -> ComponentId | None:
        if model.engine is not None:
            place = node.get("engine") or node
            return self._resolve(Kind.ENGINE, ComponentId.parse(model.engine), f"pipelines.{name}.engine", place)
        if not self._needs_engine(model):
            return None
        configured = [cid for kind, cid in self._components.found if kind is Kind.ENGINE]
        factories = dict(self._components.all_of(Kind.ENGINE))
        offered = [ComponentId(each) for each in factories]

        def with_rows(ids: Sequence[ComponentId]) -> list[ComponentId]:
            # one that makes no rows (it keeps packets, say) is there for who names it
            return [each for each in ids if getattr(factories.get(each.type), "tables", ())]

        candidates = with_rows(configured) or with_rows(offered) or configured or offered
        if len(candidates) == 1:
            return self._resolve(Kind.ENGINE, candidates[0], f"pipelines.{name}.engine", node)
        if not any(kind is Kind.ENGINE for kind, _ in self._components.broken):
            found = (
                f"there are several: {', '.join(map(str, candidates))}; name one" if candidates else "none is installed"
            )
            self._problem(
                f"pipelines.{name}.engine", f"its collectors hand over packets, which need an engine, and {found}", node
            )
        return None

    def _needs_engine(self, model: PipelineSection) -> bool:
        for text in model.collectors:
            factory = dict(self._components.all_of(Kind.COLLECTOR)).get(ComponentId.parse(text).type)
            if isinstance(factory, CollectorFactory) and factory.emits & {"packets", "segments"}:
                return True
        return False

    def _parsers(self, name: str, node: Node, model: PipelineSection) -> tuple[ComponentId, ...]:
        if model.engine is None and not self._needs_engine(model) and model.parsers == ("*",):
            return ()
        named = [ComponentId.parse(text) for text in model.parsers if text != "*"]
        configured = sorted(cid for kind, cid in self._components.found if kind is Kind.PARSER)
        configured += sorted(
            cid for kind, cid in self._components.broken if kind is Kind.PARSER and cid not in configured
        )
        taken = {cid.type for cid in configured}
        every = configured + [
            ComponentId(name) for name, _ in self._components.all_of(Kind.PARSER) if name not in taken
        ]
        rest = [cid for cid in every if cid not in named]
        listed = node.get("parsers")
        found: list[ComponentId] = []
        for index, text in enumerate(model.parsers):
            place = listed.find((index,)) if listed is not None else node
            wanted = rest if text == "*" else [ComponentId.parse(text)]
            for cid in wanted:
                resolved = self._resolve(Kind.PARSER, cid, f"pipelines.{name}.parsers[{index}]", place)
                if resolved is not None:
                    found.append(resolved)
        return tuple(found)

    def _optional(self, model: PipelineSection) -> frozenset[ComponentId]:
        """Parsers that only '*' brings in."""
        if "*" not in model.parsers:
            return frozenset()
        return frozenset(
            cid
            for (kind, cid), component in self._components.found.items()
            if kind is Kind.PARSER
            and component.line is None
            and component.file is None
            and str(cid) not in model.parsers
        )

    def _writable(self, name: str, node: Node, pipeline: PipelineConfig) -> None:
        for index, cid in enumerate(pipeline.storages):
            factory = self._components.found[(Kind.STORAGE, cid)].factory
            if isinstance(factory, StorageFactory) and "write" not in factory.roles:
                listed = node.get("storages") or node
                message = f"the storage {str(cid)!r} can only be read; a pipeline needs one that can be written"
                self._problem(f"pipelines.{name}.storages[{index}]", message, listed.find((index,)))

    def _dialects(self) -> None:
        readable = [
            cid
            for (kind, cid), component in self._components.found.items()
            if kind is Kind.STORAGE
            and isinstance(component.factory, StorageFactory)
            and "read" in component.factory.roles
        ]
        for (kind, cid), component in list(self._components.found.items()):
            if kind is not Kind.DIALECT or component.storage is None:
                continue
            self._used.add((Kind.STORAGE, component.storage))
            if component.storage not in readable and (Kind.STORAGE, component.storage) not in self._components.broken:
                hint = nearest(str(component.storage), [str(other) for other in readable])
                message = f"there is no storage {str(component.storage)!r} that can be read{hint}"
                self.problems.append(Problem(f"dialects.{cid}.storage", message, component.file, component.line))
        if any(kind is Kind.DIALECT for kind, _ in self._components.found):
            # a dialect that names none asks the readable one
            self._used |= {(Kind.STORAGE, cid) for cid in readable}

    def _unused(self) -> None:
        for key, component in self._components.found.items():
            if key[0] in _PIPED and key not in self._used:
                message = f"the {component.kind} is configured but no pipeline names it"
                self.warnings.append(Problem(component.path, message, component.file, component.line))

    def _problem(self, path: str, message: str, node: Node) -> None:
        self.problems.append(Problem(path, message, node.mark.file, node.mark.line))
