"""Operations of object stores by their addresses, on a capture of boto3 and moto's server, and under garbage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metaflow_refiner_s3.operations import key_shape
from metaflow_refiner_s3.plugin import metaflow_refiners
from metaflow_refiner_s3.refiner import S3Refiner

import metaflow_core as mf
from metaflow_core.api import Refinable

CAPTURE = Path(__file__).with_name("captures") / "calls.pcap"
AWS = "s3.eu-west-1.amazonaws.com"


def refine(method: str, resource: str, domain: str = AWS, agent: str = "", hosts: tuple[str, ...] = ()) -> Any:
    message = Refinable(True, method, resource, domain=domain, attributes={"http_user_agent": agent})
    return S3Refiner(hosts).refine([message])[0]


def test_the_factory() -> None:
    (factory,) = metaflow_refiners()
    assert factory.create is not None
    assert isinstance(factory.create(factory.config()), S3Refiner)
    assert factory.bodiless, "most of these calls have no body"


@pytest.mark.parametrize(
    ("method", "resource", "domain", "endpoint"),
    [
        ("GET", "/photos/a.jpg", AWS, "GetObject photos"),
        ("GET", "/a/b.jpg?versionId=3", f"photos.{AWS}", "GetObject photos"),
        ("GET", "/?list-type=2&prefix=a", f"photos.{AWS}", "ListObjectsV2 photos"),
        ("GET", "/?versions", f"my.photos.{AWS}", "ListObjectVersions my.photos"),
        ("PUT", "/photos/a?partNumber=1&uploadId=x", AWS, "UploadPart photos"),
        ("PUT", "/photos/a?x-id=CopyObject", AWS, "CopyObject photos"),
        ("DELETE", "/photos?policy", AWS, "DeleteBucketPolicy photos"),
        ("GET", "/", AWS, "ListBuckets"),
        ("POST", "/photos/a?select&select-type=2", "minio.local:9000", "SelectObjectContent photos"),
    ],
)
def test_operations(method: str, resource: str, domain: str, endpoint: str) -> None:
    assert refine(method, resource, domain, hosts=("minio.local:9000",))["endpoint"] == endpoint


@pytest.mark.parametrize(
    ("method", "resource", "domain", "agent"),
    [
        ("GET", "/photos/a.jpg", "shop.example", "curl/8"),
        ("GET", "/2015-03-31/functions", "localhost:4566", "Boto3/1.44"),
        ("POST", "/", "sqs.eu-west-1.amazonaws.com", "Boto3/1.44"),
        ("GET", "/?Action=ListQueues", "localhost:4566", "Boto3/1.44"),
        ("GET", "/Photos_1/a", AWS, ""),
        ("PATCH", "/photos/a", AWS, ""),
        ("GET", "*", AWS, ""),
    ],
)
def test_other_calls_are_left_alone(method: str, resource: str, domain: str, agent: str) -> None:
    assert refine(method, resource, domain, agent) is None


def test_keys_lose_what_makes_them_one_of_many() -> None:
    assert key_shape("photos/2026/11/img_0012.jpg") == "photos/*/*/*.jpg"
    assert key_shape("a/b/") == "a/b/"
    assert key_shape("/".join("abcdefghij")).startswith("a/b/c/d/e/f/**")


def test_a_real_capture() -> None:
    rows = mf.read_pcap(CAPTURE, refiners=["s3"]).requests().to_arrow().to_pylist()
    assert [row["endpoint"] for row in rows] == [
        "CreateBucket photos", "ListBuckets", "PutObject photos", "GetObject photos", "HeadObject photos", "ListObjectsV2 photos",
        "GetBucketLocation photos", "PutObjectTagging photos", "GetObject photos", "ListObjectsV2 nowhere", "CreateMultipartUpload photos",
        "UploadPart photos", "CompleteMultipartUpload photos", "DeleteObjects photos", "DeleteObject photos", "DeleteBucket photos",
    ]  # fmt: skip
    failed = [row["response_exception"].partition(":")[0] for row in rows if row["response_code"] >= 400]
    assert failed == ["NoSuchKey", "NoSuchBucket"]


@given(st.text(max_size=60), st.text(max_size=30), st.booleans())
def test_anything_is_taken(resource: str, body: str, is_request: bool) -> None:
    message = Refinable(
        is_request, "GET", f"/{resource}", media_type="application/xml", body=f"<Error>{body}", domain=AWS
    )
    S3Refiner().refine([message])
