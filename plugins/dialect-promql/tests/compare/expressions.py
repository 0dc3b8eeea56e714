"""Expressions over the whole language: written by hand, and generated from a seed."""

from __future__ import annotations

import random

R = "http_requests_total"
G = "memory_bytes"
T = "temperature"
B = "latency_seconds_bucket"

HAND = f"""
{R}
{R}{{job="api"}}
{R}{{job!="api"}}
{R}{{job=~"a.*|db"}}
{R}{{job!~"a.*"}}
{R}{{code=~"4..|5.."}}
{R}{{missing=""}}
{R}{{missing!=""}}
{R}{{job="api",code="200",instance="host-0:9100"}}
{{__name__="{G}"}}
{{__name__=~"mem.*|temp.*",job="db"}}
{{__name__=~".*_total"}}
nothing
{R} offset 5m
{R}{{job="api"}} offset -5m
{R} @ start()
{R} @ end()
{R} @ end() offset 10m
{G} offset 1h
gappy
gappy offset 3m
special
constant
-{G}
-{R}
+{G}
-1
1
1 + 2 * 3 ^ 2 % 5
2 ^ 3 ^ 2
-2 ^ 2
(1 + 2) * 3
1 / 0
-1 / 0
0 / 0
5 % 0
5 % 3
-5 % 3
5 % -3
1.5e3
0x1F
Inf
-Inf
NaN
1 == bool 1
1 != bool 1
1 > bool 2
1 < bool 2
1 >= bool 1
NaN == bool NaN
1 atan2 2
time()
time() - time() % 60
pi()
vector(1)
vector(time())
scalar(constant)
scalar({G})
scalar(nothing)
vector(scalar(nothing))
scalar(sum({G})) * 2
"text"
{G} + 1
1 + {G}
{G} - 50
50 - {G}
{G} * 2
{G} / 3
3 / {G}
{G} % 7
7 % {G}
{G} ^ 2
2 ^ ({G} / 50)
{G} atan2 2
{G} > 50
{G} < 50
{G} >= 50
{G} <= 50
{G} == 50
{G} != 50
50 < {G}
50 > bool {G}
{G} > bool 50
{G} == bool 50
{G} + {T}
{G} - {T}
{G} * {T}
{G} / {T}
{G} % {T}
{G} ^ ({T} / 10)
{G} atan2 {T}
{G} > {T}
{G} < bool {T}
{G} == {G}
{G} + on(job, instance) {T}
{G} + ignoring(env) {T}
{G} + on(job, instance, env) {T}
{G} > on(job, instance) {T}
{G} > bool on(job, instance) {T}
{R} / on(job, instance) group_left {G}
{R} / ignoring(code) group_left {G}
{R} * on(job) group_left(team) info
{R} * on(job) group_left(team, nope) info
{G} * on(instance) group_left(version) build_info
info * on(job) group_right(team) {R}
{G} / on(job) group_left limits
limits / on(job) group_right {G}
{R} / on(job) {G}
{R} + on(instance) {G}
{R} + {G}
sum by (job) ({R}) / on(job) limits
sum by (job) ({R}) / limits
sum by (job) ({R}) > on(job) limits
limits < bool on(job) sum by (job) ({R})
{G} and {T}
{G} and on(job) limits
{G} and ignoring(env, instance) limits
{G} and {T} > 0
{G} and on(instance) ({T} > 0)
{G} or {T}
{G} or on(job) {T}
limits or on(job) {G}
{G} unless on(job) limits
{G} unless {T}
{G} unless on(instance, job) ({T} > 0)
{G} > 50 or {T} > 10
{G} and on() vector(1)
{G} unless on() vector(1)
nothing or vector(0)
vector(0) or {G}
vector(1) and vector(2)
sum({R}) or vector(0)
{G} and on(job) (limits > 4000) or {T} < -10
sum({R})
sum by (job) ({R})
sum by (job, code) ({R})
sum without (instance, env) ({R})
sum by (nothing) ({R})
sum by () ({R})
sum without () ({R})
sum by (__name__) ({R})
sum(nothing)
avg by (job) ({G})
avg({T})
avg without (code) ({R})
min by (job) ({G})
max by (job) ({G})
min({T})
max({T})
count({R})
count by (env) ({R})
count without (instance) ({R})
group by (job) ({R})
group({G})
stddev by (job) ({G})
stdvar by (job) ({G})
stddev({T})
stdvar({T})
quantile(0.5, {G})
quantile by (job) (0.9, {G})
quantile(0, {T})
quantile(1, {T})
quantile(-1, {T})
quantile(2, {T})
quantile(0.333, {R})
topk(3, {G})
bottomk(3, {G})
topk by (job) (1, {G})
bottomk by (job) (1, {G})
topk without (instance, env) (2, {G})
topk(0, {G})
topk(-1, {G})
topk(1000, {G})
topk(scalar(count({G})) - 10, {G})
bottomk(2, {T})
topk(2, rate({R}[5m]))
count_values("value", special)
count_values("value", round({G} / 10))
count_values by (job) ("v", round({G} / 10))
count_values without (instance, env) ("v", round({G} / 20))
count_values("version", build_info)
sum(special)
avg(special)
min(special)
max(special)
count(special)
stddev(special)
quantile(0.5, special)
topk(3, special{{name!~"nan|mixed|.*zero"}})
bottomk(3, special{{name!~"nan|mixed|.*zero"}})
sum(special{{name!~"nan|mixed|inf|ninf"}})
sum(gappy)
avg by (kind) (gappy)
count(gappy)
rate({R}[5m])
rate({R}[1m])
rate({R}[20s])
rate({R}[15s])
rate({R}[1h])
rate({R}{{job="api"}}[5m] offset 10m)
rate({R}[5m] @ end())
rate({R}[5m] @ start())
sum(rate({R}[5m] @ end())) by (job)
increase({R}[5m])
increase({R}[30m])
irate({R}[5m])
irate({R}[1m])
delta({G}[5m])
delta({T}[10m])
idelta({G}[5m])
deriv({G}[5m])
deriv({R}[10m])
deriv(constant[10m])
predict_linear({G}[10m], 3600)
predict_linear({G}[10m], -60)
predict_linear(constant[10m], 600)
predict_linear({G}[10m] offset 5m, 600)
holt_winters({G}[10m], 0.5, 0.5)
holt_winters({G}[10m], 0.1, 0.9)
changes({G}[10m])
changes(gappy[10m])
changes(special[10m])
changes(constant[10m])
resets({R}[1h])
resets({T}[10m])
resets(gappy[20m])
avg_over_time({G}[10m])
min_over_time({G}[10m])
max_over_time({G}[10m])
sum_over_time({G}[10m])
count_over_time({G}[10m])
stddev_over_time({G}[10m])
stdvar_over_time({G}[10m])
last_over_time({G}[10m])
present_over_time({G}[10m])
quantile_over_time(0.5, {G}[10m])
quantile_over_time(0.95, {T}[30m])
quantile_over_time(-1, {T}[30m])
quantile_over_time(2, {T}[30m])
avg_over_time(special[5m])
min_over_time(special[5m])
max_over_time(special[5m])
sum_over_time(special[5m])
stddev_over_time(special[5m])
stdvar_over_time(special[5m])
quantile_over_time(0.3, special[5m])
last_over_time(special[5m])
count_over_time(special[5m])
rate(special[5m])
delta(special[5m])
irate(special[5m])
idelta(special[5m])
deriv(special[5m])
avg_over_time(gappy[5m])
sum_over_time(gappy[10m])
count_over_time(gappy[3m])
last_over_time(gappy[7m])
rate(gappy[10m])
increase(gappy[10m])
delta(gappy[10m])
absent(nothing)
absent(nothing{{a="b"}})
absent(nothing{{a="b",c!="d",e=~"f"}})
absent(nothing{{a="b",a="c"}})
absent({G})
absent(gappy{{kind="stale"}})
absent(sum(nothing))
absent(rate(nothing{{a="b"}}[5m]))
absent_over_time(nothing[5m])
absent_over_time(nothing{{a="b"}}[5m])
absent_over_time(gappy{{kind="gap"}}[1m])
absent_over_time({G}[5m])
abs({T})
ceil({T})
floor({T})
round({T})
round({T}, 5)
round({T}, 0.1)
exp({T} / 10)
sqrt({T})
sqrt({G})
ln({G})
ln({T})
log2({G})
log10({G})
sgn({T})
sin({T})
cos({T})
tan({T})
asin({T} / 20)
acos({T} / 20)
atan({T})
sinh({T} / 10)
cosh({T} / 10)
tanh({T})
asinh({T})
acosh({G})
atanh({T} / 21)
deg({T})
rad({T})
abs(special)
ceil(special)
floor(special)
round(special)
exp(special)
sqrt(special)
ln(special)
sgn(special)
special > 0
special == special
special != special
special + 1
clamp({T}, -5, 5)
clamp_min({T}, 0)
clamp_max({T}, 0)
clamp({T}, 5, -5)
clamp_max({G}, scalar(avg({G})))
clamp(special, 0, 1)
minute()
hour()
month()
year()
day_of_week()
day_of_month()
day_of_year()
days_in_month()
minute(vector(1500000000))
hour(vector(1500000000))
month(vector(1500000000))
year(vector(1500000000))
day_of_week(vector(1500000000))
day_of_month(vector(1500000000))
day_of_year(vector(1500000000))
days_in_month(vector(1580515200))
year(vector(-1e9))
hour(constant)
timestamp({G})
timestamp({G} offset 5m)
timestamp(vector(1))
timestamp({G} + 1)
timestamp(gappy)
time() - timestamp({G})
label_replace({G}, "host", "$1", "instance", "(.*):.*")
label_replace({G}, "host", "${{1}}-x", "instance", "host-(\\\\d+):(\\\\d+)")
label_replace({G}, "port", "$2", "instance", "(.*):(.*)")
label_replace({G}, "job", "x", "nothing", "")
label_replace({G}, "job", "", "job", "api")
label_replace({G}, "host", "$1", "instance", "nomatch(.*)")
label_replace({G}, "host", "${{name}}", "instance", "(?P<name>.*):.*")
label_replace({G}, "__name__", "other", "job", "api")
label_replace({G}, "instance", "same", "instance", ".*")
label_replace(up, "bad-name", "x", "job", ".*")
label_replace({G}, "a", "x", "job", "(")
label_join({G}, "joined", "-", "job", "instance")
label_join({G}, "joined", "", "job", "nothing", "env")
label_join({G}, "joined", "-")
label_join({G}, "instance", "-", "job")
sort({G})
sort_desc({G})
sort(sum by (job) ({R}))
sort_desc(rate({R}[5m]))
histogram_quantile(0.9, {B})
histogram_quantile(0.5, rate({B}[5m]))
histogram_quantile(0.99, sum by (le) (rate({B}[5m])))
histogram_quantile(0.9, sum by (le, job) (rate({B}[5m])))
histogram_quantile(0, {B})
histogram_quantile(1, {B})
histogram_quantile(-1, {B})
histogram_quantile(2, {B})
histogram_quantile(0.9, {G})
histogram_quantile(0.9, {B}{{le!="+Inf"}})
histogram_quantile(0.9, sum by (le) (increase({B}{{job="web"}}[10m])))
histogram_quantile(scalar(constant) / 100, {B})
latency_seconds_sum / latency_seconds_count
rate(latency_seconds_sum[5m]) / rate(latency_seconds_count[5m])
sum by (job) (rate(latency_seconds_sum[5m])) / sum by (job) (rate(latency_seconds_count[5m]))
max_over_time(rate({R}[5m])[30m:1m])
avg_over_time(rate({R}[1m])[10m:30s])
min_over_time({G}[10m:1m])
max_over_time({G}[10m:1m] offset 5m)
sum_over_time({G}[10m:])
count_over_time({G}[10m:])
count_over_time({G}[10m:7s])
last_over_time(sum({G})[10m:1m])
rate(sum by (job) ({R})[10m:1m])
deriv(rate({R}{{job="api"}}[5m])[20m:1m])
max_over_time(time()[10m:1m])
sum_over_time(vector(1)[10m:1m])
count_over_time((1)[10m:1m])
quantile_over_time(0.5, rate({R}[5m])[15m:1m])
max_over_time(max_over_time({G}[5m:1m])[10m:2m])
avg_over_time(({G} > 50)[20m:1m])
absent_over_time(nothing[10m:1m])
absent_over_time(({G} > 1e9)[10m:1m])
min_over_time({G}[10m:1m] @ end())
stddev_over_time({G}[10m:1m])
changes(({G} > bool 50)[30m:1m])
max_over_time({G}[5m] offset 5m)
sum(rate({R}{{code=~"5.."}}[5m])) / sum(rate({R}[5m]))
sum by (job) (rate({R}{{code="500"}}[5m])) / ignoring(code) sum by (job) (rate({R}[5m]))
sum by (job) (rate({R}{{code!="200"}}[5m])) / sum by (job) (rate({R}[5m])) > 0.5
100 * (1 - avg by (instance) (rate({R}{{code="200"}}[5m])))
topk(3, sum by (instance, job) (rate({R}[5m])))
avg by (job) (avg_over_time({G}[10m])) - avg by (job) (avg_over_time({G}[10m] offset 30m))
({G} - avg_over_time({G}[1h])) / stddev_over_time({G}[1h])
count(count by (job) ({R}))
count(count by (instance) ({R}) > 5)
sum(count_values("x", build_info))
max({G}) - min({G})
{G} > on() group_left avg({G})
{G} - on(job) group_left avg by (job) ({G})
{R} - {R} offset 5m
{R} > {R} offset 5m
bool
sum(
rate({R})
{R}[5m] + 1
{R}[0s]
sum(rate({R}[5m])
foo{{
{{}}
{{job=~".*"}}
1 == 2
{R} and 1
"a" + 1
rate({R}[5m])[5m]
unknown_function({R})
sum by (job {R})
topk({G})
quantile({G})
{R} offset
{R}[5m:1m]
{R}[5m]
{G}[1m] offset 5m
histogram_quantile(0.9)
label_replace({G}, "a")
count_values({G})
clamp({G}, 1)
{R} @ foo
{R}{{job=~"("}}
{R}{{job="a" "b"}}
{R} == on(job) group_left on(x) {G}
sum(1)
abs(1)
scalar(1)
vector({G})
-"a"
!{G}
""".strip().splitlines()

_RANGES = ("30s", "1m", "5m", "10m", "30m")
_RANGE_FUNCTIONS = (
    "rate", "increase", "irate", "delta", "idelta", "deriv", "changes", "resets", "avg_over_time", "min_over_time", "max_over_time",
    "sum_over_time", "count_over_time", "stddev_over_time", "stdvar_over_time", "last_over_time", "present_over_time",
)  # fmt: skip
_MATHS = ("abs", "ceil", "floor", "sqrt", "exp", "ln", "log2", "sgn", "round", "sin", "atan", "deg")
_AGGREGATIONS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
_METRICS = (R, G, T, "gappy", "latency_seconds_count", "limits", "info", "constant")
_LABELS = ("job", "instance", "env", "code")
_MATCHERS = (
    "", "", '{job="api"}', '{job=~"api|db"}', '{env!="dev"}', '{instance=~"host-[01].*"}', '{job!~"w.*",env="prod"}'
)  # fmt: skip


class Generator:
    """Expressions that are well-formed, from a seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def _pick(self, choices: tuple[str, ...]) -> str:
        return self._rng.choice(choices)

    def _offset(self) -> str:
        return self._rng.choice(("", "", "", "", " offset 3m", " offset 20m", " @ end()", " @ start()"))

    def _selector(self) -> str:
        return self._pick(_METRICS) + self._pick(_MATCHERS)

    def _range(self, depth: int) -> str:
        if depth > 0 and self._rng.random() < 0.2:
            return f"({self.vector(depth - 1)})[{self._pick(_RANGES[2:])}:{self._pick(('20s', '1m', '90s'))}]"
        return f"{self._selector()}[{self._pick(_RANGES)}]{self._offset()}"

    def _grouping(self) -> str:
        names = ", ".join(sorted(self._rng.sample(_LABELS, self._rng.randrange(0, 3))))
        return f"{self._pick(('by', 'without'))} ({names})"

    def scalar(self, depth: int) -> str:
        """An expression that gives a number."""
        if depth > 0 and self._rng.random() < 0.2:
            return f"scalar({self._pick(_AGGREGATIONS)}({self.vector(depth - 1)}))"
        return self._rng.choice(("2", "0.5", "100", "-3", "1e3", "time() / 1e9", "0"))

    def vector(self, depth: int) -> str:
        """An expression that gives series."""
        if depth <= 0:
            return self._selector() + self._offset()
        kind = self._rng.randrange(12)
        if kind < 3:
            return f"{self._pick(_RANGE_FUNCTIONS)}({self._range(depth)})"
        if kind < 5:
            return f"{self._pick(_AGGREGATIONS)} {self._grouping()} ({self.vector(depth - 1)})"
        if kind == 5:
            return f"{self._pick(_MATHS)}({self.vector(depth - 1)})"
        if kind == 6:
            operator = self._pick(("+", "-", "*", "/", "%", "^", ">", "<", ">=", "!=", "== bool", "> bool"))
            sides = [f"({self.vector(depth - 1)})", self.scalar(depth - 1)]
            if self._rng.random() < 0.3:
                sides.reverse()
            return f"{sides[0]} {operator} {sides[1]}"
        if kind == 7:
            operator = self._pick(("+", "-", "*", "/", ">", "<", "== bool"))
            label = self._pick(_LABELS[:3])
            left = f"{self._pick(_AGGREGATIONS)} by ({label}) ({self.vector(depth - 1)})"
            right = f"{self._pick(_AGGREGATIONS)} by ({label}) ({self.vector(depth - 1)})"
            return f"{left} {operator} {self._pick(('', f'on({label}) '))}{right}"
        if kind == 8:
            operator = self._pick(("and", "or", "unless"))
            matching = self._pick(("", "on(job) ", "on(instance) ", "ignoring(code) "))
            return f"({self.vector(depth - 1)}) {operator} {matching}({self.vector(depth - 1)})"
        if kind == 9:
            return f"quantile_over_time({self._pick(('0.1', '0.5', '0.99'))}, {self._range(depth)})"
        if kind == 10:
            return f"quantile {self._grouping()} ({self._pick(('0.25', '0.9'))}, {self.vector(depth - 1)})"
        return f"{self._pick(('clamp_min', 'clamp_max'))}({self.vector(depth - 1)}, {self.scalar(0)})"


def expressions(count: int = 1000, seed: int = 20) -> list[str]:
    """All of those written by hand, and generated ones up to ``count``."""
    generator = Generator(seed)
    found = dict.fromkeys(HAND)
    while len(found) < count:
        found.setdefault(generator.vector(generator._rng.randrange(1, 4)))
    return list(found)[:count]
