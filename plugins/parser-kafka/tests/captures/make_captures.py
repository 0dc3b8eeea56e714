"""Makes the captures beside it anew: a real broker (KRaft, one node) and three clients on loopback. Needs root, Java 17, tcpdump.

mvn dependency:copy-dependencies   # org.apache.kafka:kafka_2.13:3.9.1 and slf4j-simple:1.7.36 into BROKER,
                                   # org.apache.kafka:kafka-clients:4.1.0 into CLIENT
pip install confluent-kafka kafka-python
python make_captures.py BROKER CLIENT
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PORT, CONTROLLER, SASL = 29192, 29193, 29194
PASSWORD = "s3cret-pw"
PROPERTIES = f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{CONTROLLER}
listeners=PLAINTEXT://127.0.0.1:{PORT},CONTROLLER://127.0.0.1:{CONTROLLER},SASL://127.0.0.1:{SASL}
advertised.listeners=PLAINTEXT://127.0.0.1:{PORT},SASL://127.0.0.1:{SASL}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="{PASSWORD}" user_u="{PASSWORD}";
num.partitions=2
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.coordinator.rebalance.protocols=classic,consumer
"""


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is stopped by its own process id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def recorded(name: str, port: int) -> Iterator[None]:
    """The conversation of a port, in a file beside this one."""
    tcpdump = (
        "tcpdump",
        "-i",
        "lo",
        "-U",
        "--immediate-mode",
        "-B",
        "65536",
        "-w",
        str(HERE / name),
        f"tcp port {port}",
    )
    with running(*tcpdump):
        time.sleep(1)
        yield
        time.sleep(2)


def librdkafka() -> None:
    """The versions of Kafka 0.9 and 0.11 (message sets of magic 0, batches of magic 2), then those of today."""
    from confluent_kafka import Consumer, Producer

    old = {"api.version.request": False, "broker.version.fallback": "0.9.0.1"}
    for versions, name in ((old, "rd-old"), ({}, "rd-new")):
        shared = {"bootstrap.servers": f"127.0.0.1:{PORT}", "client.id": name, **versions}
        producer = Producer({**shared, "compression.type": "snappy", "linger.ms": 20})
        headers = (
            None
            if versions
            else [("x-b3-traceid", b"80f198ee56343ba864fe8b2a57d3eff7"), ("x-b3-spanid", b"e457b5a2e4d86bd1")]
        )
        for number in range(5):
            producer.produce("rd", b"value %d" % number * 20, partition=0, headers=headers)
        producer.flush(10)
        consumer = Consumer({**shared, "group.id": f"{name}-group", "auto.offset.reset": "earliest"})
        consumer.subscribe(["rd"])
        deadline, got = time.monotonic() + 15, 0
        while got < 5 and time.monotonic() < deadline:
            got += len(consumer.consume(10, 0.5))
        consumer.commit(asynchronous=False)
        consumer.close()
        print(name, got)


def sasl() -> None:
    """One login that works and one that does not."""
    from kafka import KafkaProducer

    for password in (PASSWORD, "wr0ng-pw"):
        try:
            producer = KafkaProducer(bootstrap_servers=f"127.0.0.1:{SASL}", security_protocol="SASL_PLAINTEXT", client_id="sasl",
                                     sasl_mechanism="PLAIN", sasl_plain_username="u", sasl_plain_password=password)  # fmt: skip
            producer.send("orders", b"over sasl").get(5)
            producer.close()
        except Exception as error:  # the second is meant to fail
            print("sasl:", error)
            break


def main(broker: str, client: str) -> None:
    """Start the broker, record each client, stop the broker."""
    with tempfile.TemporaryDirectory() as folder:
        properties = Path(folder) / "server.properties"
        properties.write_text(f"{PROPERTIES}log.dirs={folder}/data\n")
        java = ("java", "-Xmx512m", "-cp", f"{broker}/*")
        subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", str(properties)],
            check=True,
        )
        with running(*java, "kafka.Kafka", str(properties)):
            time.sleep(15)
            with recorded("kafka-java.pcap", PORT):
                subprocess.run(["java", "-cp", f"{client}/*", str(HERE / "Drive.java")], check=True, timeout=120)
            with recorded("librdkafka.pcap", PORT):
                librdkafka()
            with recorded("kafka-python-sasl.pcap", SASL):
                sasl()


main(*sys.argv[1:3])
