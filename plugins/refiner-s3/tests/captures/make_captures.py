"""Makes calls.pcap: boto3 asks moto's server over loopback, captured by tcpdump (as root; needs boto3 and moto[s3,server]).

python make_captures.py
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import time
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from metaflow_core.testing import free_port

HERE = Path(__file__).parent


def talk(port: int) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket="photos")
    client.list_buckets()
    client.put_object(Bucket="photos", Key="2026/11/img_0012.jpg", Body=b"x" * 3000)
    client.get_object(Bucket="photos", Key="2026/11/img_0012.jpg")["Body"].read()
    client.head_object(Bucket="photos", Key="2026/11/img_0012.jpg")
    client.list_objects_v2(Bucket="photos", Prefix="2026/")
    client.get_bucket_location(Bucket="photos")
    client.put_object_tagging(
        Bucket="photos", Key="2026/11/img_0012.jpg", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    )
    with contextlib.suppress(ClientError):
        client.get_object(Bucket="photos", Key="nothing")
    with contextlib.suppress(ClientError):
        client.list_objects_v2(Bucket="nowhere")
    upload = client.create_multipart_upload(Bucket="photos", Key="big.bin")["UploadId"]
    part = client.upload_part(
        Bucket="photos", Key="big.bin", UploadId=upload, PartNumber=1, Body=io.BytesIO(b"y" * 100_000)
    )
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    client.complete_multipart_upload(Bucket="photos", Key="big.bin", UploadId=upload, MultipartUpload=parts)
    client.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": "big.bin"}]})
    client.delete_object(Bucket="photos", Key="2026/11/img_0012.jpg")
    client.delete_bucket(Bucket="photos")
    client.close()


def main() -> None:
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    dump = subprocess.Popen(["tcpdump", "-q", "-i", "lo", "-U", "-w", str(HERE / "calls.pcap"), f"tcp port {port}"])
    time.sleep(2)
    talk(port)
    time.sleep(2)
    dump.terminate()
    dump.wait()
    server.stop()


if __name__ == "__main__":
    main()
