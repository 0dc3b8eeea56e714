"""What raw SQL may use: functions, forms of rows, settings, tables of the system. Everything else is refused.

Functions that read or write files or the network, run programs, wait, or tell the server's settings are left out on purpose, and so are
those that compare every character with every other (distances of texts): minutes for one row, in which ClickHouse looks at no limit. What is
here computes from its arguments alone (or tells time, version and name of the server). The names stand in the text files beside this one.
"""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = [
    "DENIED_WORDS",
    "FORMATS",
    "KEYWORDS",
    "SYSTEM_TABLES",
    "TABLE_FUNCTIONS",
    "is_function",
    "is_setting",
    "takes_function",
]


def _words(name: str) -> frozenset[str]:
    """The words of ``NAME.txt`` beside this file; a line that begins with # is a comment."""
    lines = files(__name__).joinpath(f"{name}.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


_AGGREGATES = _words("aggregates")
_COMBINATORS = (
    "ornull",
    "ordefault",
    "distinct",
    "foreach",
    "resample",
    "argmin",
    "argmax",
    "state",
    "simplestate",
    "merge",
    "array",
    "map",
    "if",
)
_FUNCTIONS = _words("functions")
_HIGHER = _words("higher")
_OF_SERVER = _words("server")
TABLE_FUNCTIONS = frozenset({"numbers", "zeros", "generateseries", "generate_series", "values"})
"""Table functions that read nothing."""

KEYWORDS = _words("keywords")
"""Words that a parenthesis may follow without being a function."""

_TYPES = _words("types")
DENIED_WORDS = {
    "INTO": "INTO OUTFILE is not taken: a question writes nothing",
    "OUTFILE": "INTO OUTFILE is not taken: a question writes nothing",
    "INFILE": "FROM INFILE is not taken",
    "APPLY": "APPLY is not taken; call the function",
}
SYSTEM_TABLES = frozenset(
    f"{database}.{table}"
    for database, tables in {
        "system": "one numbers databases tables columns settings functions formats data_type_families dictionaries keywords table_engines "
        "table_functions aggregate_function_combinators collations contributors licenses time_zones build_options parts parts_columns "
        "data_skipping_indices projections disks macros clusters",
        "information_schema": "schemata tables columns views key_column_usage referential_constraints",
        "INFORMATION_SCHEMA": "SCHEMATA TABLES COLUMNS VIEWS KEY_COLUMN_USAGE REFERENTIAL_CONSTRAINTS",
    }.items()
    for table in tables.split()
)
"""Tables that tell what there is, and nothing of what others ask."""

FORMATS = _words("formats")
"""Forms in which rows can be had. Those that read a schema or a template from a file are left out."""

_SETTINGS = _words("settings")
_SETTING = re.compile(r"output_format_(?!schema)[a-z0-9_]+\Z")


def is_function(name: str, *, of_server: bool = False) -> bool:
    """Whether a function may be called; of an aggregate also with ClickHouse's combinators (``sumIf``, ``uniqMerge``).

    :param of_server: also those that tell version, name and time zone of the server, as clients ask when they connect.
    """
    low = name.lower()
    if of_server and low in _OF_SERVER:
        return True
    if low in _FUNCTIONS or low in _AGGREGATES or low in _TYPES:
        return True
    for _ in range(4):
        found = next((each for each in _COMBINATORS if low.endswith(each) and len(low) > len(each)), None)
        if found is None:
            return False
        low = low.removesuffix(found)
        if low in _AGGREGATES:
            return True
    return False


def takes_function(name: str) -> bool:
    """Whether a function's first argument may be the name of another function, which it then calls."""
    return name.lower() in _HIGHER


def is_setting(name: str) -> bool:
    """Whether a question may set it: what it changes is the form of the answer, or limits that become no wider than ours."""
    return name in _SETTINGS or _SETTING.match(name) is not None
