"""What a service says of itself in OpenAPI, held against what it does."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["judge_openapi"]


def judge_openapi(
    schema: Any,
    *,
    examples: int,
    beyond: Callable[[Any], Sequence[Any]] = lambda _: (),
    budget_s: float = 90.0,
    **call: Any,
) -> set[tuple[str, str]]:
    """Has schemathesis make right and wrong requests from a description, the same ones each time, and judge the answers.

    To make requests costs more than to answer them, so on a busy machine each operation gets fewer once the budget is spent, but none
    gets fewer than one of each kind.

    :param schema: of schemathesis. :param examples: of each kind and operation; the variable ``FUZZ_EXAMPLES`` says another number, and
        then there is no budget. :param beyond: checks that an operation's description is no measure for. :param call: goes to each call.
    :returns: methods (in capitals) and paths.
    """
    import schemathesis

    asked = os.environ.get("FUZZ_EXAMPLES")
    end = float("inf") if asked else time.monotonic() + budget_s
    seen: set[tuple[str, str]] = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        seen.add((operation.method.upper(), operation.path))
        for mode in schemathesis.GenerationMode:
            count = int(asked) if asked else examples if time.monotonic() < end else 1
            _judge(operation, mode, count, {**call, "excluded_checks": list(beyond(operation))})
    return seen


def _judge(operation: Any, mode: Any, examples: int, call: dict[str, Any]) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable

    def judged(case: Any) -> None:
        case.call_and_validate(**call)

    made = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    # A path without parameters has no wrong requests.
    with contextlib.suppress(Unsatisfiable):
        made(given(case=operation.as_strategy(generation_mode=mode))(judged))()
