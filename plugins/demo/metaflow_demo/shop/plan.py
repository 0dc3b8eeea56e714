"""Who is where."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Plan", "Spot"]


@dataclass(frozen=True, slots=True)
class Spot:
    """An address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the parts of the shop listen, and what they are.

    :ivar customers: the address they come from.
    :ivar sql: ``mariadb`` or ``sqlite``. :ivar ledger: PostgreSQL, None where it is not installed. :ivar rate: calls of customers a second.
    :ivar calls: most calls of customers, 0 for no end. :ivar log: file of the calls.
    """

    customers: str
    gateway: Spot
    catalog: Spot
    orders: Spot
    payments: Spot
    redis: Spot
    database: Spot
    dns: Spot
    ledger: Spot | None
    sql: str
    rate: float
    calls: int
    log: str

    def spots(self) -> tuple[Spot, ...]:
        """Where the parts listen."""
        found = (self.gateway, self.catalog, self.orders, self.payments, self.redis, self.database, self.dns)
        return found if self.ledger is None else (*found, self.ledger)

    def save(self, path: Path) -> None:
        """Write it for the processes."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read it."""
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        parts: dict[str, Any] = {
            name: Spot(**value) if isinstance(value, dict) else value for name, value in found.items()
        }
        return cls(**parts)
