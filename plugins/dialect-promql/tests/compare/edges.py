"""Expressions at the edges of the language, from a seed: what :mod:`expressions` never makes, and much that is refused."""

from __future__ import annotations

import random
from collections.abc import Callable

_VECTORS = (
    "memory_bytes",
    "temperature",
    "http_requests_total",
    "ties",
    "edgy",
    "gappy",
    "special",
    "limits",
    "info",
    "build_info",
    "sharded",
    "nothing",
)
_NUMBERS = ("0", "1", "-1", "0.5", "2.9", "1e3", "NaN", "Inf", "-Inf", "0x1F", ".5", "5.", "1e-3", "time()", "scalar(limits)",
            'scalar(limits{job="api"})', "scalar(nothing)", "pi()")  # fmt: skip
_MATCHERS = (
    "", "", "", '{job=""}', '{job=~""}', '{job!~".+"}', '{job=~".*"}', '{job=~"a.*|"}', "{job='api'}", "{job=~`a\\w+`}", '{job=~"(?i)API"}', '{job!="api",job!="db"}',
    '{instance=~"host-[^0]:9100",env!~"d.v"}', '{job="\\x61pi"}', '{job="\\u0061pi"}', '{__name__!=""}', '{job=~"^api$"}', '{job=~"ap"}', '{no="x"}', '{no!="x"}',
)  # fmt: skip
_DURATIONS = ("30s", "1m", "90s", "1m30s", "5m", "17m", "1h", "1h5m", "0.5m", "5m5m", "1s", "100ms", "1d")
_LABELS = ("job", "instance", "env", "code", "shard", "a", "nope", "__name__", "le")
_OVER_TIME = (
    "rate", "increase", "irate", "delta", "idelta", "deriv", "changes", "resets", "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time",
    "stddev_over_time", "stdvar_over_time", "last_over_time", "present_over_time", "absent_over_time",
)  # fmt: skip
_AGGREGATIONS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
_OPERATORS = (
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "==",
    "!=",
    ">",
    "<",
    ">=",
    "<=",
    "== bool",
    "> bool",
    "and",
    "or",
    "unless",
)
_PATTERNS = (
    "(.*)", "(.*):(.*)", "host-(\\\\d+):.*", "host-(?P<n>\\\\d+):(?P<p>.*)", "", ".+", "(a)|(h.*)", "(?i)HOST-(.):.*", "host-0", "(host)(-)(.)(:)(9)(1)(0)(0)", "^host-(.).*$",
    "[", "(?:host)-(.).*", "(h)?(x)?.*", "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.).*",
)  # fmt: skip
_REPLACEMENTS = (
    "$1",
    "${1}x",
    "$1x",
    "$2-$1",
    "$0",
    "$n",
    "${n}",
    "$$1",
    "$",
    "x",
    "",
    "${p}:${n}",
    "$10",
    "${10}",
    "\\\\1",
    "$1$1",
    "${",
    "$11",
    "$-1",
    "é$1",
)


class Edges:
    """Expressions from a seed; most are well-formed, a tenth is not."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._kinds: tuple[Callable[[], str], ...] = (
            self._subquery, self._subquery, self._many, self._many, self._replaced, self._joined, self._histogram, self._absent, self._predicted, self._edgy, self._chosen,
            self._sorted, self._sets, self._chain, self._chain, self._counted, self._called, self._over_time, self._scalars,
        )  # fmt: skip

    def _pick(self, choices: tuple[str, ...]) -> str:
        return self._rng.choice(choices)

    def _selector(self, names: tuple[str, ...] = _VECTORS) -> str:
        return self._pick(names) + self._pick(_MATCHERS)

    def _moved(self) -> str:
        offset = self._pick(("", "", " offset 3m", " offset -4m", " offset 1h10m"))
        at = self._pick(("", "", " @ end()", " @ start()", " @ 1e9", " @ -1"))
        return at + offset if self._rng.random() < 0.5 else offset + at

    def _labels(self, most: int = 3) -> str:
        return ", ".join(self._rng.sample(_LABELS, self._rng.randrange(0, most)))

    def _vector(self) -> str:
        kind = self._rng.randrange(8)
        if kind < 4:
            return self._selector() + self._moved()
        if kind == 4:
            return f"{self._pick(_AGGREGATIONS)} by ({self._labels()}) ({self._selector()})"
        if kind == 5:
            return f"{self._pick(_OVER_TIME)}({self._selector()}[{self._pick(_DURATIONS)}]{self._moved()})"
        if kind == 6:
            return f"({self._selector()} {self._pick(('>', '<', '== bool', '*'))} {self._pick(_NUMBERS)})"
        return f"vector({self._pick(_NUMBERS)})"

    def _subquery(self) -> str:
        inner = self._vector() if self._rng.random() < 0.7 else self._subquery()
        span = f"[{self._pick(_DURATIONS[:9])}:{self._pick(('', '30s', '1m', '90s', '7s', '1h', '2m'))}]"
        call = self._pick(("quantile_over_time(0.7, ", *(f"{each}(" for each in _OVER_TIME)))
        return f"{call}({inner}){span}{self._moved()})"

    def _many(self) -> str:
        matching = f"{self._pick(('on', 'ignoring'))} ({self._labels(4)})"
        side = self._pick(
            ("", "group_left ", "group_right ", f"group_left ({self._labels()}) ", f"group_right ({self._labels()}) ")
        )
        names = ("memory_bytes", "http_requests_total", "limits", "info", "build_info", "sharded", "ties")
        return f"{self._selector(names)} {self._pick(_OPERATORS[:14])} {matching} {side}{self._selector(names)}"

    def _replaced(self) -> str:
        target = self._pick(("host", "instance", "job", "__name__", "no", "a-b", "", "ü", "__x"))
        source = self._pick(("instance", "instance", "job", "no", "__name__", "odd"))
        return f'label_replace({self._selector(("memory_bytes", "odd_labels", "limits", "edgy"))}, "{target}", "{self._pick(_REPLACEMENTS)}", "{source}", "{self._pick(_PATTERNS)}")'

    def _joined(self) -> str:
        sources = ", ".join(f'"{each}"' for each in self._rng.sample(_LABELS, self._rng.randrange(0, 4)))
        target, separator = self._pick(("host", "job", "__name__", "1a", "no")), self._pick(("", "-", "\\n", "é"))
        return f'label_join({self._selector(("memory_bytes", "odd_labels", "limits"))}, "{target}", "{separator}"{", " + sources if sources else ""})'

    def _histogram(self) -> str:
        which = self._pick(
            (
                "noinf",
                "onlyinf",
                "dup",
                "nonmono",
                "zero",
                "neg",
                "bad",
                "nan",
                "late",
                "forms",
                "one",
                "inf",
                "stale",
            )
        )
        buckets = self._pick((f'odd_bucket{{h="{which}"}}', f'rate(odd_bucket{{h="{which}"}}[5m])', "odd_bucket", "sum by (le) (odd_bucket)", f'odd_bucket{{h="{which}",le!="1"}}',
                              f'-odd_bucket{{h="{which}"}}'))  # fmt: skip
        return f"histogram_quantile({self._pick((*_NUMBERS, '0.5', '0.9', '0.99', '0.1'))}, {buckets})"

    def _absent(self) -> str:
        inner = self._pick(("nothing", 'nothing{a="b",c=~"d"}', 'nothing{job="x",job=~"x"}', 'edgy{a="flip"}', 'edgy{a="only"}', '{job="no",__name__="x"}', "nothing > 1",
                            "sum(nothing)", 'nothing{a!=""}', 'gappy{kind="begins"}'))  # fmt: skip
        if self._rng.random() < 0.5:
            return f"absent({inner}{self._moved() if inner.endswith(('}', 'nothing')) else ''})"
        span = (
            f"[{self._pick(_DURATIONS[:6])}]"
            if inner.endswith(("}", "nothing"))
            else f"[{self._pick(_DURATIONS[:6])}:30s]"
        )
        return f"absent_over_time({inner if span.count(':') == 0 else f'({inner})'}{span}{self._moved()})"

    def _predicted(self) -> str:
        of = f"{self._selector(('memory_bytes', 'gappy', 'edgy', 'special', 'constant'))}[{self._pick(_DURATIONS)}]{self._moved()}"
        return self._pick((f"predict_linear({of}, {self._pick(_NUMBERS)})", f"holt_winters({of}, {self._pick(('0.5', '0', '1', '0.01', 'NaN'))}, {self._pick(('0.5', '1', '0.99'))})",
                           f"quantile_over_time({self._pick(_NUMBERS)}, {of})", f"deriv({of})"))  # fmt: skip

    def _edgy(self) -> str:
        of = f"edgy{self._pick(('', '', '{a=~`f.*`}'))}"
        return self._pick((f"{self._pick(_OVER_TIME)}({of}[{self._pick(_DURATIONS)}]{self._moved()})", f"{self._pick(_AGGREGATIONS)}({of}{self._moved()})", f"timestamp({of})",
                           f"{of} or {of} offset 5m", f"{of} unless {of} offset 15s", f"count_over_time(({of})[10m:15s])"))  # fmt: skip

    def _chosen(self) -> str:
        group = self._pick(("", f" by ({self._labels()})", f" without ({self._labels()})"))
        return f"{self._pick(('topk', 'bottomk', 'quantile'))}{group} ({self._pick(_NUMBERS)}, {self._pick(('ties', 'ties{a!=`3`}', 'special', 'memory_bytes', 'edgy', 'nothing'))})"

    def _sorted(self) -> str:
        return f"{self._pick(('sort', 'sort_desc'))}({self._pick(('memory_bytes', 'special{name!~`.*zero|mixed|nan`}', 'ties == 1', 'nothing', 'limits'))})"

    def _sets(self) -> str:
        matching = self._pick(("", f"on ({self._labels()}) ", f"ignoring ({self._labels()}) "))
        left, right = self._vector(), self._vector()
        return f"{left} {self._pick(('and', 'or', 'unless'))} {matching}{right}"

    def _chain(self) -> str:
        parts = [
            self._pick((*_NUMBERS, "limits", "memory_bytes", "-limits", "+1", "(limits)", "sum(ties)", "vector(2)"))
        ]
        for _ in range(self._rng.randrange(1, 5)):
            parts += [
                self._pick(_OPERATORS),
                self._pick((*_NUMBERS, "limits", "memory_bytes", "-limits", "sum(limits)", "vector(2)", "-2", "- -1")),
            ]
        return " ".join(parts)

    def _counted(self) -> str:
        label = self._pick(("v", "job", "__name__", "1v", "", "le"))
        group = self._pick(("", f" by ({self._labels()})", f" without ({self._labels()})"))
        return f'count_values{group} ("{label}", {self._pick(("special", "ties", "limits", "round(memory_bytes, 25)", "edgy", "nothing", "special * 1e-300"))})'

    def _called(self) -> str:
        of = self._selector(("special", "temperature", "limits", "edgy"))
        number = self._pick(_NUMBERS)
        return self._pick((f"clamp({of}, {number}, {self._pick(_NUMBERS)})", f"clamp_min({of}, {number})", f"clamp_max({of}, {number})", f"round({of}, {number})", f"timestamp({of}{self._moved()})",
                           f"hour({of} * 1e7)", f"days_in_month({of} * 1e8)", f"day_of_year({of} * 1e8)", f"month({of} * 1e9)", f"year({of} * 1e5)", f"sgn({of})", f"abs(-{of})", f"scalar({of})",
                           f"vector({number})", f"ln({of} - {number})", f"acosh({of})", f"atanh({of})", f"exp({of})", f"minute({of} * 1e4)", f"day_of_week(-{of} * 1e6)"))  # fmt: skip

    def _over_time(self) -> str:
        call = f"{self._pick(_OVER_TIME)}({self._selector()}[{self._pick(_DURATIONS)}]{self._moved()})"
        broken = (
            call.replace("[", "[[", 1),
            call + "[5m]",
            call.replace(")", "", 1),
            f"{call} offset",
            call.replace("(", "({}, ", 1),
            f"sum {call}",
            f"# note\n{call} # more",
        )
        return call if self._rng.random() < 0.8 else self._pick(broken)

    def _scalars(self) -> str:
        return f"{self._pick(_NUMBERS)} {self._pick(_OPERATORS)} {self._pick(_NUMBERS)}"

    def expression(self) -> str:
        """One."""
        return self._rng.choice(self._kinds)()


def edges(count: int, seed: int) -> list[str]:
    """As many different ones."""
    maker, found = Edges(seed), dict[str, None]()
    while len(found) < count:
        found.setdefault(maker.expression())
    return list(found)
