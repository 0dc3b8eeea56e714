"""Numbers as Prometheus writes them."""

from __future__ import annotations

import math
from decimal import Decimal

__all__ = ["go_float"]


def go_float(value: float, *, exponents: bool = True) -> str:
    """The shortest text that reads back as the number: ``1``, ``0.5``, ``1e-07``, ``+Inf``, ``NaN``.

    :param exponents: write very small and very large numbers with one, as the HTTP API does.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    size = abs(value)
    if exponents and size and (size < 1e-6 or size >= 1e21):
        text = repr(float(value))
        mantissa, letter, exponent = text.partition("e")
        return text if not mantissa.endswith(".0") else f"{mantissa[:-2]}{letter}{exponent}"
    text = repr(float(value))
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")
