"""The S3 API over HTTP, of whatever store: addresses of both styles, errors in XML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, unquote

from metaflow_core.api import Refinable, Refined
from metaflow_refiner_s3.operations import key_shape, operation

__all__ = ["S3Refiner"]

# Hosts of stores: what may stand in front of them is a bucket.
_HOSTS = (
    r"s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?",
    r"storage\.googleapis\.com",
    r"[a-z0-9]+\.digitaloceanspaces\.com",
    r"s3\.[a-z0-9-]+\.backblazeb2\.com",
    r"s3(?:\.[a-z0-9-]+)?\.wasabisys\.com",
    r"[0-9a-f]{32}(?:\.eu|\.fedramp)?\.r2\.cloudflarestorage\.com",
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# A version of another API of AWS, which the same clients ask.
_VERSION = re.compile(r"\d{4}-\d\d-\d\d")
_CLIENTS = re.compile(r"\b(?:aws-sdk|boto3|botocore|aws-cli|minio|s3cmd|s5cmd|rclone|s3fs|goofys)\b", re.IGNORECASE)
_ERROR = re.compile(
    r"<Error(?:\s[^>]*)?>.{0,400}?<Code>([A-Za-z0-9.]{1,64})</Code>(?:.{0,200}?<Message>([^<]{0,300}))?", re.DOTALL
)
_OWN_PARAMETERS = frozenset({"list-type", "uploads", "uploadId", "partNumber", "X-Amz-Algorithm"})
_POSTED = frozenset({"uploads", "uploadId", "delete", "select", "restore"})


class S3Refiner:
    """See :class:`metaflow_core.api.Refiner`.

    :param hosts: further hosts of stores, as they are asked.
    """

    def __init__(self, hosts: Sequence[str] = ()) -> None:
        known = "|".join((*_HOSTS, *(re.escape(host.lower()) for host in hosts)))
        self._host = re.compile(rf"(?:(?P<bucket>[a-z0-9.-]+)\.)?(?:{known})(?::\d+)?")

    def refine(self, messages: Sequence[Refinable]) -> list[Refined | None]:
        """Requests get their operation and bucket as endpoint; responses the code of their error."""
        return [self._request(each) if each.is_request else _response(each) for each in messages]

    def _request(self, message: Refinable) -> Refined | None:
        path, _, query = message.resource.partition("?")
        if not path.startswith("/"):
            return None
        parameters = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=64)) if query.count("&") < 64 else {}
        host = self._host.fullmatch(message.domain.lower())
        if host is not None and host["bucket"]:
            bucket, key = host["bucket"], unquote(path[1:])
        else:
            first, _, key = unquote(path[1:]).partition("/")
            bucket = first
            if host is None and not self._is_by_client(message, bucket, parameters):
                return None
        if bucket and _BUCKET.fullmatch(bucket) is None:
            return None
        name = operation(message.type, bucket, key, parameters)
        if not name:
            return None
        told = parameters.get("x-id", "")
        name = told if told.isalpha() and len(told) < 48 else name
        attributes = {"rpc_system": "aws-api", "rpc_service": "S3", "s3_operation": name}
        if bucket:
            attributes["s3_bucket"] = bucket
        if key:
            attributes["s3_key_shape"] = key_shape(key)
        return {"endpoint": f"{name} {bucket}".rstrip(), "attributes": attributes}

    def _is_by_client(self, message: Refinable, bucket: str, parameters: dict[str, str]) -> bool:
        """A store on a host that nobody named: its client says what it is, and the address is one of S3."""
        if "Action" in parameters or _VERSION.fullmatch(bucket) or ".amazonaws.com" in message.domain:
            return False
        if message.type == "POST" and not _POSTED & parameters.keys():
            return False
        if _CLIENTS.search(message.attributes.get("http_user_agent", "")):
            return True
        return "x-id" in parameters and bool(_OWN_PARAMETERS & parameters.keys())


def _response(message: Refinable) -> Refined | None:
    if not message.media_type.endswith("xml"):
        return None
    found = _ERROR.search(message.body[:1024])
    if found is None:
        return None
    code, said = found[1], (found[2] or "").strip()
    return {"exception": f"{code}: {said}" if said else code, "attributes": {"s3_error_code": code}}
