"""Addresses as people write them."""

from __future__ import annotations

from metaflow_storage_clickhouse.sql.typed import Typed

__all__ = ["address_text", "network_text"]


def address_text(value: Typed) -> Typed:
    """An address as text: ``10.0.0.1``, ``2001:db8::1``, ``02:42:ac:11:00:02``."""
    match value.type:
        case "ip4":
            return Typed(f"toString({value.sql})", "string", value.nullable)
        case "mac":
            octets = ", ':', ".join(f"hex(toUInt8(bitShiftRight({value.sql}, {shift})))" for shift in range(40, -8, -8))
            return Typed(f"lower(concat({octets}))", "string", value.nullable)
        case _:
            return Typed(_ip6_text(value.sql), "string", value.nullable)


def _ip6_text(sql: str) -> str:
    """RFC 5952. ClickHouse writes the end of some addresses dotted (``::1.2.3.4``), which hides what they are."""
    digits = f"hex({sql})"
    groups = [f"trimLeft(lower(substring({digits}, {start}, 4)), '0')" for start in (25, 29)]
    high, low = (f"if({each} = '', '0', {each})" for each in groups)
    mapped = f"concat('::ffff:', {high}, ':', {low})"
    embedded = f"concat('::', {high}, ':', {low})"
    tests = f"startsWith({digits}, '00000000000000000000FFFF'), {mapped}"
    # Below 2**16 the last group alone is left, and ClickHouse writes that as everybody does.
    plain4 = f"and(startsWith({digits}, '000000000000000000000000'), notEquals(substring({digits}, 25, 4), '0000'))"
    return f"multiIf({tests}, {plain4}, {embedded}, toString({sql}))"


def network_text(value: Typed, bits: int) -> Typed:
    """The network of so many bits that an address lies in: ``10.0.0.0/8``."""
    call = "IPv4CIDRToRange" if value.type == "ip4" else "IPv6CIDRToRange"
    first = Typed(f"tupleElement({call}({value.sql}, toUInt8({bits})), 1)", value.type, value.nullable)
    return Typed(f"concat({address_text(first).sql}, '/{bits}')", "string", value.nullable)
