"""Makes the captures beside it anew: Apache Dubbo's provider and consumer on this machine. Needs root, a JDK 17, tcpdump.

mvn dependency:copy-dependencies   # org.apache.dubbo:dubbo:2.7.23, dubbo-serialization-kryo:2.7.23, com.alibaba:fastjson:1.2.83
                                   # into OLD; org.apache.dubbo:dubbo:3.2.14, com.alibaba.fastjson2:fastjson2:2.0.53 into NEW
python make_captures.py OLD NEW
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
PORT = 20990
OPEN = [
    f"--add-opens=java.base/java.{name}=ALL-UNNAMED"
    for name in ("lang", "util", "math", "time", "text", "net", "io", "util.concurrent", "lang.invoke")
]
SETTINGS = (
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
    "-Ddubbo.application.logger=slf4j",
    "-Ddubbo.security.serialize.openChecker=false",
    "-Ddubbo.application.serialize-check-status=DISABLE",
)


def record(name: str, jars: str, serialization: str, *more: str) -> None:
    """Compile the peers with one Dubbo, and record what they say."""
    with tempfile.TemporaryDirectory() as classes:
        subprocess.run(["javac", "-nowarn", "-cp", f"{jars}/*", "-d", classes, str(HERE / "Peer.java")], check=True)
        tcpdump = ("tcpdump", "-i", "lo", "-U", "--immediate-mode", "-B", "65536", "-w", str(HERE / name))
        dump = subprocess.Popen([*tcpdump, f"tcp port {PORT}"], stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            java = ("java", *OPEN, *SETTINGS, "-cp", f"{classes}:{jars}/*", "Peer", str(PORT), serialization, *more)
            subprocess.run(java, check=True, timeout=90)
            time.sleep(1)
        finally:
            dump.terminate()
            dump.wait(timeout=20)


def main(old: str, new: str) -> None:
    """All captures."""
    record("dubbo-2.7-hessian2.pcap", old, "hessian2", "more")
    record("dubbo-2.7-fastjson.pcap", old, "fastjson")
    record("dubbo-2.7-kryo.pcap", old, "kryo")
    record("dubbo-3.2-fastjson2.pcap", new, "fastjson2")


main(*sys.argv[1:3])
