"""Operations by method and address (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

__all__ = ["key_shape", "operation"]

# Parameters that name a part of a bucket: what the operation is called after Get, Put or Delete.
_OF_BUCKET: Mapping[str, str] = {
    "accelerate": "BucketAccelerateConfiguration",
    "acl": "BucketAcl",
    "analytics": "BucketAnalyticsConfiguration",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "intelligent-tiering": "BucketIntelligentTieringConfiguration",
    "inventory": "BucketInventoryConfiguration",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "metrics": "BucketMetricsConfiguration",
    "notification": "BucketNotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
_OF_OBJECT: Mapping[str, str] = {
    "acl": "ObjectAcl",
    "attributes": "ObjectAttributes",
    "legal-hold": "ObjectLegalHold",
    "retention": "ObjectRetention",
    "tagging": "ObjectTagging",
    "torrent": "ObjectTorrent",
}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}
_WHOLE_BUCKET = {"GET": "ListObjects", "PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}
_WHOLE_OBJECT = {"GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject", "HEAD": "HeadObject"}
# A part of a key that is one of many: numbers, dates, hashes, UUIDs, and names with a number in them.
_ONE_OF_MANY = re.compile(r"[0-9]|^[0-9a-fA-F-]{16,}$")
_MOST_PARTS = 6


def operation(method: str, bucket: str, key: str, parameters: Collection[str]) -> str:
    """The operation's name; "" when there is none of this method.

    >>> operation("PUT", "photos", "a.jpg", {"partNumber", "uploadId"})
    'UploadPart'
    """
    if not bucket:
        return "ListBuckets" if method == "GET" else ""
    if key:
        return _object(method, parameters)
    for name, parts in _OF_BUCKET.items():
        if name in parameters and method in _VERBS:
            return f"{_VERBS[method]}{parts}"
    if method == "GET":
        for name, found in (
            ("uploads", "ListMultipartUploads"),
            ("versions", "ListObjectVersions"),
            ("list-type", "ListObjectsV2"),
        ):
            if name in parameters:
                return found
    if method == "POST":
        return "DeleteObjects" if "delete" in parameters else "PostObject"
    return _WHOLE_BUCKET.get(method, "")


def _object(method: str, parameters: Collection[str]) -> str:
    if "uploadId" in parameters:
        found = {
            "GET": "ListParts",
            "PUT": "UploadPart",
            "POST": "CompleteMultipartUpload",
            "DELETE": "AbortMultipartUpload",
        }
        return found.get(method, "")
    if method == "POST":
        told = (("uploads", "CreateMultipartUpload"), ("select", "SelectObjectContent"), ("restore", "RestoreObject"))
        return next((found for name, found in told if name in parameters), "")
    for name, part in _OF_OBJECT.items():
        if name in parameters and method in _VERBS:
            return f"{_VERBS[method]}{part}"
    return _WHOLE_OBJECT.get(method, "")


def key_shape(key: str) -> str:
    """A key without what makes it one of many.

    >>> key_shape("photos/2026/11/img_0012.jpg")
    'photos/*/*/*.jpg'
    """
    *folders, name = key.split("/")
    shown = ["*" if _ONE_OF_MANY.search(part) else part for part in folders[:_MOST_PARTS]]
    if len(folders) > _MOST_PARTS:
        shown.append("**")
    stem, dot, ending = name.rpartition(".")
    if not dot or not 1 <= len(ending) <= 8:
        stem, dot, ending = name, "", ""
    return "/".join([*shown, ("*" if stem else "") + dot + ending])[:256]
