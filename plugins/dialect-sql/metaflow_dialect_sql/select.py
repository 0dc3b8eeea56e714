"""From the tree of a SELECT to a :class:`~metaflow_dialect_sql.question.Question`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlglot import exp

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import Catalog, Column, Metric, Tag
from metaflow_core.model.expression import Call, Expr, Ref, references, walk
from metaflow_dialect_sql.calls import Bucket, RowCalls
from metaflow_dialect_sql.convert import Converter, dotted_name
from metaflow_dialect_sql.fields import Fields
from metaflow_dialect_sql.grouping import over_keys
from metaflow_dialect_sql.measures import Measures, aggregate_names
from metaflow_dialect_sql.outputs import Output
from metaflow_dialect_sql.question import INTERVAL, Item, Ordering, Question, Series
from metaflow_dialect_sql.source import fields_of
from metaflow_dialect_sql.statements import Select, at
from metaflow_dialect_sql.timerange import Span, split

__all__ = ["read_select"]


def read_select(select: Select, catalog: Catalog, *, database: str = "", precision: str = "") -> Question:
    """Gives every name its meaning.

    :param database: of tables named without one. :param precision: of tables named without one.
    :raises QuerySyntaxError: with the column of what is wrong, and the nearest right name.
    """
    fields = fields_of(select.tree, catalog, database=database, precision=precision)
    return _Reader(select, fields).question()


@dataclass
class _Reader:
    select: Select
    fields: Fields
    warnings: list[str] = field(default_factory=list)
    buckets: list[Bucket] = field(default_factory=list)
    keys: list[tuple[str, Expr]] = field(default_factory=list)
    asks_interval: bool = False
    _resolving: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.aggregates = aggregate_names(self.fields.catalog)
        self.measures = Measures(self.fields)
        self.aliases = {each.alias: each.this for each in self.select.tree.expressions if isinstance(each, exp.Alias)}

    def question(self) -> Question:
        tree = self.select.tree
        span, where = self._where(tree)
        items = self._items(tree)
        grouped = self._group(tree, items)
        having = self._having(tree)
        orders = self._orders(tree, items)
        series = self._series(grouped is not None or bool(self.measures.asked), items)
        is_grouped = (
            grouped is not None or bool(self.measures.asked) or having is not None or bool(tree.args.get("distinct"))
        )
        if is_grouped:
            if tree.args.get("distinct") and not self.measures.asked and grouped is None:
                grouped = [item.expression for item in items]
            self._set_keys(grouped or [])
            items = [replace(item, expression=self._over(item.expression)) for item in items]
            having = None if having is None else self._over(having)
            orders = [(self._over(expression), descending, place) for expression, descending, place in orders]
        elif self.buckets:
            raise QuerySyntaxError("time(...) makes groups; add GROUP BY and a function, such as Count(row)")
        bucket, bucket_key = self._bucket()
        hidden, order = self._hidden(items, orders, bucket)
        self._check_derivatives(items, having, hidden)
        limit, offset = _window(tree)
        self._check_names(items)
        return Question(
            self.fields, tuple(items), span, where, tuple(self.keys) if is_grouped else None, self.measures,
            bucket=bucket, bucket_key=bucket_key, having=having, hidden=tuple(hidden), order=tuple(order), series=series,
            limit=limit, offset=offset, asks_interval=self.asks_interval, warnings=self.warnings,
        )  # fmt: skip

    # --- names ----------------------------------------------------------------------------------------------------

    def _converter(self, clause: str, *, many: bool, aliases: bool) -> Converter:
        calls = RowCalls(
            self.fields, self.aggregates, clause,
            on_aggregate=self.measures if many else None,
            on_bucket=self._on_bucket if many or clause == "GROUP BY" else None,
        )  # fmt: skip

        def names(name: str, place: int | None) -> Expr | None:
            if name.lower() == "time_interval" and many:
                self.asks_interval = True
                return Ref(INTERVAL, place)
            node = self.aliases.get(name)
            if node is None or name in self._resolving or (not aliases and self.fields.find(name) is not None):
                return None
            self._resolving.add(name)
            try:
                return converter.expr(node)
            finally:
                self._resolving.discard(name)

        converter = Converter(self.fields, calls, names, self.warnings)
        return converter

    def _on_bucket(self, bucket: Bucket, place: int | None) -> Expr:
        if self.buckets and bucket.expression != self.buckets[0].expression:
            raise QuerySyntaxError("all buckets of one question have the same length", place)
        if bucket.fill != "none" and bucket.column != self.fields.table.time:
            raise QuerySyntaxError(f"only buckets of {self.fields.table.time} can be filled", place)
        self.buckets.append(bucket)
        return bucket.expression

    def _bucket(self) -> tuple[Bucket | None, str]:
        if not self.buckets:
            return None, ""
        filled = next((each for each in self.buckets if each.fill != "none"), self.buckets[0])
        name = next((name for name, key in self.keys if key == filled.expression), "")
        return (filled, name) if name else (None, "")

    # --- clauses --------------------------------------------------------------------------------------------------

    def _where(self, tree: exp.Select) -> tuple[Span, Expr | None]:
        node = tree.args.get("where")
        if node is None:
            return Span(), None
        predicate = self._converter("WHERE", many=False, aliases=False).expr(node.this)
        for each in walk(predicate):
            if isinstance(each, Ref):
                self.fields.need(each.name, each.at)
        if isinstance(predicate, Ref):
            found = self.fields.need(predicate.name, predicate.at)
            if not (isinstance(found, Column) and found.type == "bool") and getattr(found, "kind", "") != "bool":
                raise QuerySyntaxError(
                    f"{predicate.name} is not true or false; compare it, or write exist({predicate.name})", predicate.at
                )
        return split(predicate, self.fields.time)

    def _items(self, tree: exp.Select) -> list[Item]:
        converter = self._converter("SELECT", many=True, aliases=False)
        items: list[Item] = []
        for index, node in enumerate(tree.expressions):
            if isinstance(node, exp.Star):
                if any(value for key, value in node.args.items() if key != "this"):
                    raise QuerySyntaxError("* stands alone in SELECT", at(node))
                items.extend(self._everything())
                continue
            inner = node.this if isinstance(node, exp.Alias) else node
            self._resolving = {node.alias} if isinstance(node, exp.Alias) else set()
            expression = converter.expr(inner)
            name = node.alias if isinstance(node, exp.Alias) else self._name_of(inner, index)
            items.append(Item(self._output(name, inner, expression), expression))
        self._resolving = set()
        return items

    def _name_of(self, node: exp.Expr, index: int) -> str:
        if isinstance(node, exp.Column | exp.Dot):
            return dotted_name(node)
        return self.select.texts[index] if index < len(self.select.texts) else f"column {index + 1}"

    def _everything(self) -> list[Item]:
        """``*``: addresses as one text, lists of names and values as one map, everything else as it is stored."""
        table = self.fields.table
        joined: dict[str, str] = {}
        for tag in table.tags:
            if tag.kind == "ip" or (tag.kind == "map" and not tag.dictionary):
                joined.update(dict.fromkeys((key for key in tag.key if key != "is_ipv4"), tag.name))
        names = dict.fromkeys(joined.get(column.name, column.name) for column in table.columns)
        return [Item(self._output(name, exp.Null(), Ref(name)), Ref(name)) for name in names]

    def _output(self, name: str, node: exp.Expr, expression: Expr) -> Output:
        shown = isinstance(node, exp.Anonymous) and str(node.this).lower() == "enum"
        if not isinstance(expression, Ref):
            return Output(name)
        asked = self.measures.by_name(expression.name)
        if asked is not None:
            return Output(name, asked.unit, asked.column)
        if expression.name == INTERVAL:
            return Output(name, "s")
        found = self.fields.need(expression.name, expression.at)
        if shown and not (isinstance(found, Column) and found.enum):
            if isinstance(found, Tag):
                return Output(name)
            raise QuerySyntaxError(f"{expression.name} is no enumeration; SHOW TAGS tells which are", expression.at)
        if isinstance(found, Column):
            return Output(name, "" if found.kind == "time" else found.unit, found, shown)
        return Output(name, found.unit if isinstance(found, Metric) else "")

    def _group(self, tree: exp.Select, items: list[Item]) -> list[Expr] | None:
        node = tree.args.get("group")
        if node is None:
            return None
        for key, value in node.args.items():
            if value and key != "expressions":
                raise QuerySyntaxError(f"GROUP BY {key.strip('_').upper()} is not taken", at(node))
        if not node.expressions:
            raise QuerySyntaxError("expected columns or time(...) after GROUP BY", at(node))
        converter = self._converter("GROUP BY", many=False, aliases=True)
        out: list[Expr] = []
        for each in node.expressions:
            ordinal = _ordinal(each, len(items), "GROUP BY")
            expression = items[ordinal].expression if ordinal is not None else converter.expr(each)
            if isinstance(expression, Ref) and self.measures.by_name(expression.name):
                raise QuerySyntaxError("a function over many rows cannot be grouped by", at(each))
            for name in [each for each in walk(expression) if isinstance(each, Ref)]:
                self.fields.need(name.name, name.at)
            out.append(expression)
        return out

    def _having(self, tree: exp.Select) -> Expr | None:
        node = tree.args.get("having")
        return None if node is None else self._converter("HAVING", many=True, aliases=True).expr(node.this)

    def _orders(self, tree: exp.Select, items: list[Item]) -> list[tuple[Expr, bool, int | None]]:
        node = tree.args.get("order")
        if node is None:
            return []
        converter = self._converter("ORDER BY", many=True, aliases=True)
        out = []
        for each in node.expressions:
            if not isinstance(each, exp.Ordered):
                raise QuerySyntaxError("expected a column or function after ORDER BY", at(each))
            ordinal = _ordinal(each.this, len(items), "ORDER BY")
            expression = items[ordinal].expression if ordinal is not None else converter.expr(each.this)
            out.append((expression, bool(each.args.get("desc")), at(each)))
        return out

    def _series(self, grouped: bool, items: list[Item]) -> Series | None:
        select = self.select
        if select.slimit is None:
            return None
        if not grouped:
            raise QuerySyntaxError("SLIMIT keeps series, so it needs GROUP BY; for rows there is LIMIT")
        if select.sorder is not None:
            expression = self._converter("SORDER BY", many=True, aliases=True).expr(select.sorder)
        else:
            found = [item.expression for item in items if self._over_measures_only(item.expression)]
            if not found:
                raise QuerySyntaxError("SLIMIT needs a function to choose series by; add SORDER BY")
            expression = found[0]
        if not self._over_measures_only(expression):
            raise QuerySyntaxError(
                "series are chosen by functions over many rows", at(select.sorder) if select.sorder else None
            )
        return Series(select.slimit, expression, not select.ascending)

    def _over_measures_only(self, expression: Expr) -> bool:
        names = references(expression)
        return bool(names) and all(name == INTERVAL or self.measures.by_name(name) is not None for name in names)

    # --- grouping -------------------------------------------------------------------------------------------------

    def _set_keys(self, expressions: list[Expr]) -> None:
        for expression in dict.fromkeys(expressions):
            self.keys.append((f"k{len(self.keys)}", expression))

    def _over(self, expression: Expr) -> Expr:
        known = {each.measure.name for each in self.measures.asked} | {INTERVAL}

        def missing(ref: Ref) -> QuerySyntaxError:
            self.fields.need(ref.name, ref.at)
            return QuerySyntaxError(
                f"{ref.name} is neither grouped by nor inside of a function; add it to GROUP BY, or write Any({ref.name})",
                ref.at,
            )

        return over_keys(expression, {key: name for name, key in self.keys}, known, missing)

    def _hidden(
        self, items: list[Item], orders: list[tuple[Expr, bool, int | None]], bucket: Bucket | None
    ) -> tuple[list[Item], list[Ordering]]:
        """Columns for the order and for filling that the answer does not show."""
        hidden: list[Item] = []

        def column(expression: Expr) -> str:
            found = next((each for each in (*items, *hidden) if each.expression == expression), None)
            if found is None:
                found = Item(Output(f"#{len(hidden)}"), expression)
                hidden.append(found)
            return found.output.name

        order = []
        for expression, descending, _ in orders:
            for ref in walk(expression):
                if isinstance(ref, Ref) and not self.keys and not self.measures.asked:
                    self.fields.need(ref.name, ref.at)
            order.append(Ordering(column(expression), descending))
        is_derived = any(each.is_derivative for each in self.measures.asked)
        if bucket is not None and (bucket.fill != "none" or is_derived):
            for name, _ in self.keys:
                column(Ref(name))
        return hidden, order

    def _check_derivatives(self, items: list[Item], having: Expr | None, hidden: list[Item]) -> None:
        derived = {each.measure.name: each for each in self.measures.asked if each.is_derivative}
        if not derived:
            return
        place = next(iter(derived.values())).place
        if not any(isinstance(key, Call) and key.name == "bucket" for _, key in self.keys):
            raise QuerySyntaxError("Derivative needs buckets; add time(time, 60) to GROUP BY", place)
        inside = [having] if having is not None else []
        inside += [item.expression for item in (*items, *hidden)]
        for expression in inside:
            if derived.keys() & set(references(expression)) and not (
                isinstance(expression, Ref) and expression is not having
            ):
                raise QuerySyntaxError("Derivative stands alone in SELECT and ORDER BY", place)

    def _check_names(self, items: list[Item]) -> None:
        seen: set[str] = set()
        for item in items:
            if item.output.name in seen:
                raise QuerySyntaxError(
                    f"two columns of the answer are named {item.output.name!r}; give one another name with AS"
                )
            if item.output.name.startswith("#"):
                raise QuerySyntaxError(f"{item.output.name!r} is no name for a column; it begins with '#'")
            seen.add(item.output.name)


def _ordinal(node: exp.Expr, count: int, clause: str) -> int | None:
    """``ORDER BY 2`` is the second column."""
    if not isinstance(node, exp.Literal) or node.is_string:
        return None
    text = str(node.this)
    if not text.isdecimal() or not 1 <= int(text[:9]) <= count:
        raise QuerySyntaxError(f"{clause} {text[:20]}: there are {count} columns", at(node))
    return int(text) - 1


def _window(tree: exp.Select) -> tuple[int | None, int]:
    def number(key: str) -> int | None:
        node = tree.args.get(key)
        if node is None:
            return None
        text = (
            str(node.expression.this)
            if isinstance(node.expression, exp.Literal) and not node.expression.is_string
            else ""
        )
        if not text.isdecimal() or len(text) > 15:
            raise QuerySyntaxError(f"{key.upper()} is a whole number", at(node))
        return int(text)

    return number("limit"), number("offset") or 0
