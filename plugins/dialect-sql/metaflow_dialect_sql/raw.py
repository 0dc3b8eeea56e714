"""A storage's own SQL, read only: every node of the parsed tree must be one that is known to be harmless.

What is handed on is made from the tree that was checked, so that nothing the check did not see can reach the storage.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.errors import SqlglotError

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import Catalog
from metaflow_core.model.catalog.names import suggestion
from metaflow_dialect_sql.config import SqlConfig
from metaflow_dialect_sql.guard import check_text
from metaflow_dialect_sql.statements import at

__all__ = ["checked_raw"]

_NODES: tuple[type[exp.Expr], ...] = (
    exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery, exp.With, exp.CTE, exp.From, exp.Where, exp.Group, exp.Having, exp.Order,
    exp.Ordered, exp.Limit, exp.Offset, exp.Distinct, exp.Join, exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier,
    exp.Dot, exp.Star, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple, exp.Array, exp.Bracket, exp.In, exp.Between, exp.Is,
    exp.Like, exp.ILike, exp.RegexpLike, exp.Not, exp.And, exp.Or, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.EQ,
    exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Case, exp.If, exp.Cast, exp.DataType, exp.Interval, exp.Var, exp.Window, exp.WindowSpec,
    exp.CombinedAggFunc, exp.ParameterizedAgg, exp.CombinedParameterizedAgg, exp.AnonymousAggFunc,
)  # fmt: skip
_FUNCTIONS = frozenset(
    """
    abs ceil floor round sqrt exp log log2 log10 pow power least greatest mod intdiv sign if multiif coalesce ifnull nullif isnull
    isnotnull assumenotnull count countif sum sumif avg avgif min minif max maxif any anyif anylast argmin argmax uniq uniqexact
    uniqcombined uniqcombined64 uniqhll12 quantile quantiles quantileexact quantiletdigest quantiledd median stddevpop stddevsamp stddev varpop
    varsamp variance topk topkweighted grouparray groupuniqarray corr covarpop covarsamp skewpop kurtpop row_number rank dense_rank
    lagInFrame leadInFrame lag lead first_value last_value nth_value ntile
    tostring touint8 touint16 touint32 touint64 toint8 toint16 toint32 toint64 tofloat32 tofloat64 todate todatetime todatetime64 cast
    tostartofsecond tostartofminute tostartoffiveminutes tostartoffifteenminutes tostartofhour tostartofday tostartofinterval tostartofmonth
    tounixtimestamp tounixtimestamp64micro fromunixtimestamp datediff dateadd datesub date_trunc timestamp_trunc toyear tomonth
    tohour tominute tosecond todayofweek now today yesterday
    lower upper length lengthutf8 substring concat replaceall replaceone replaceregexpall match multimatchany like ilike position startswith
    endswith trim splitbychar arrayjoin extract format hex unhex tojsonstring jsonextractstring jsonextractint jsonextractfloat
    array arrayelement arrayexists arrayfilter arraymap arraysum arraysort indexof has hasany hasall arraydistinct map mapkeys mapvalues mapcontains
    tuple tupleelement in notin dictget dictgetordefault dictgetstring ipv4numtostring ipv6numtostring ipv4stringtonum
    toipv4 toipv6 isipaddressinrange bitand bitor bitxor bitshiftleft bitshiftright modulo divide plus minus multiply negate
    equals notequals less greater lessorequals greaterorequals and or not xor runningdifference cityhash64 siphash64
    """.lower().split()
)


def checked_raw(text: str, catalog: Catalog, config: SqlConfig) -> str:
    """One SELECT over tables of the catalogue, with known functions only, written anew from its tree.

    :raises QuerySyntaxError: it is something else, with the reason.
    """
    plain = check_text(text, max_bytes=config.max_text_bytes, max_nesting=config.max_nesting)
    try:
        trees = [tree for tree in ClickHouse().parse(plain) if tree is not None]
    except SqlglotError as error:
        raise QuerySyntaxError(f"the SQL cannot be read: {str(error).splitlines()[0][:200]}") from None
    except RecursionError:
        raise QuerySyntaxError("the question is nested too deeply") from None
    if len(trees) != 1:
        raise QuerySyntaxError("one statement is taken at a time")
    tree = trees[0]
    if not isinstance(tree, exp.Select | exp.Union | exp.Except | exp.Intersect):
        raise QuerySyntaxError(f"raw SQL is one SELECT, not {type(tree).__name__.upper()}", at(tree))
    names = {cte.alias for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        _check(node, names, catalog)
    try:
        return str(tree.sql(dialect="clickhouse", comments=False))
    except RecursionError:
        raise QuerySyntaxError("the question is nested too deeply") from None


def _check(node: exp.Expr, names: set[str], catalog: Catalog) -> None:
    for key in ("settings", "format", "into", "sample", "hint", "locks", "laterals", "final", "pivots"):
        if node.args.get(key):
            raise QuerySyntaxError(f"{key.upper()} is not taken in raw SQL", at(node))
    if isinstance(node, exp.Table):
        _check_table(node, names, catalog)
        return
    if isinstance(node, exp.Func) and not isinstance(node, exp.And | exp.Or | exp.Case | exp.If | exp.Cast):
        name = str(
            node.this
            if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc | exp.ParameterizedAgg)
            else node.sql_name()
        )
        known = name.lower() in _FUNCTIONS or name.lower().replace("_", "") in _FUNCTIONS
        if not known:
            raise QuerySyntaxError(f"the function {name!r} is not among those that raw SQL may use", at(node))
        return
    if not isinstance(node, _NODES):
        raise QuerySyntaxError(f"{type(node).__name__} is not taken in raw SQL", at(node))


def _check_table(node: exp.Table, names: set[str], catalog: Catalog) -> None:
    if not isinstance(node.this, exp.Identifier):
        raise QuerySyntaxError("table functions such as file(), url() or remote() are not taken", at(node))
    parts = [node.args.get(key) for key in ("catalog", "db", "this")]
    name = ".".join(str(part.this) for part in parts if part)
    if name in names or name in catalog.tables:
        return
    raise QuerySyntaxError(
        f"raw SQL asks tables of the catalogue by their full names; there is no {name!r}{suggestion(name, catalog.tables)}",
        at(node),
    )
