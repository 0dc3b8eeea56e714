"""The REST API of Elasticsearch and OpenSearch, as its clients use it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from metaflow_core.api import Refinable, Refined, json_prefix
from metaflow_core.api.wire import Status
from metaflow_refiner_elasticsearch.operations import index_shape, operation, whole

__all__ = ["ElasticsearchRefiner"]

_CLIENTS = re.compile(r"\b(?:elasticsearch|elastic-|opensearch|logstash|kibana|filebeat|metricbeat)", re.IGNORECASE)
_TYPES = ("application/vnd.elasticsearch", "application/vnd.opensearch")


class ElasticsearchRefiner:
    """See :class:`metaflow_core.api.Refiner`."""

    def refine(self, messages: Sequence[Refinable]) -> list[Refined | None]:
        """Requests get operation and index as endpoint; responses what failed."""
        return [_request(each) if each.is_request else _response(each) for each in messages]


def _request(message: Refinable) -> Refined | None:
    path = message.resource.partition("?")[0]
    if not path.startswith("/"):
        return None
    is_known = message.media_type.startswith(_TYPES) or bool(
        _CLIENTS.search(message.attributes.get("http_user_agent", ""))
    )
    # A form that is sent to .../_search is of another API (FHIR).
    if not is_known and message.media_type not in ("", "application/json", "application/x-ndjson"):
        return None
    parts = [unquote(part) for part in path.split("/") if part]
    found = operation(message.type, parts) or (whole(message.type, parts) if is_known else None)
    if found is None:
        return None
    name, index = found[0], index_shape(found[1])
    attributes = {"db_system": "elasticsearch", "es_operation": name}
    if index:
        attributes["es_index"] = index
    return {"endpoint": f"{name} {index}".rstrip()[:256], "attributes": attributes}


def _response(message: Refinable) -> Refined | None:
    if not message.body.startswith("{"):
        return None
    answer = json_prefix(message.body)
    if not isinstance(answer, dict):
        return None
    error = answer.get("error")
    if isinstance(error, dict) and isinstance(error.get("type"), str) and ("root_cause" in error or "reason" in error):
        return {"exception": _sentence(error), "attributes": {"es_error_type": error["type"][:128]}}
    if answer.get("errors") is True and isinstance(answer.get("items"), list):
        return _bulk(answer["items"])
    shards = answer.get("_shards")
    if "took" not in answer or not isinstance(answer["took"], int):
        return None
    attributes = {"es_took_ms": str(answer["took"])}
    if answer.get("timed_out") is True:
        attributes["es_timed_out"] = "true"
    if isinstance(shards, dict) and isinstance(shards.get("failed"), int) and shards["failed"]:
        attributes["es_failed_shards"] = str(shards["failed"])
    return {"attributes": attributes}


def _sentence(error: Mapping[str, Any]) -> str:
    return f"{error['type']}: {error.get('reason') or ''}".rstrip(": ")[:512]


def _bulk(items: Sequence[Any]) -> Refined:
    """Some of a bulk failed, inside a 200."""
    done = [next(iter(item.values())) for item in items if isinstance(item, dict) and item]
    failed = [each for each in done if isinstance(each, dict) and isinstance(each.get("error"), dict)]
    first = failed[0] if failed else {}
    code = first.get("status")
    is_client = isinstance(code, int) and 400 <= code < 500
    error = first.get("error") or {}
    return {
        "status": Status.CLIENT_ERROR if is_client else Status.SERVER_ERROR,
        "exception": _sentence(error) if isinstance(error.get("type"), str) else "a part of the bulk failed",
        # Of as many as are in the bytes that were seen.
        "attributes": {"es_bulk_errors": str(max(len(failed), 1))},
    }
