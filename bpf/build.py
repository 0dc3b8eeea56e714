"""Compile the kernel programs to the objects that collector-ebpf ships: ``python bpf/build.py [--check]``. The sources go into its wheel
too, by links in its folder ``objects``: the bcc backend compiles them on the spot.

Needs nothing but the wheel ``ziglang`` of constraints.txt (clang 14 or newer would do too, but gives other bytes). The same sources
and the same compiler give the same bytes anywhere; ``--check`` compares with what is in the repository.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OBJECTS = HERE.parent / "plugins/collector-ebpf/metaflow_collector_ebpf/objects"
MACHINES = {"x86_64": "x86", "aarch64": "arm64"}
DEBUG = (
    ".debug_",
    ".rel.debug_",
    ".rela.debug_",
    ".llvm_addrsig",
    ".rel.eh_frame",
    ".eh_frame",
    ".comment",
    ".rel.BTF",
)

_SHT_SYMTAB, _SHT_RELA, _SHT_NOBITS, _SHT_REL, _SHT_GROUP_LIKE = 2, 4, 8, 9, 11


def compile_object(machine: str, into: Path) -> bytes:
    """One machine's object, without what only debuggers read."""
    out = into / f"{machine}.o"
    command = [
        sys.executable, "-m", "ziglang", "cc", "-target", "bpfel-freestanding", f"-D__TARGET_ARCH_{MACHINES[machine]}",
        "-mcpu=v3", "-O2", "-g", "-Wall", "-Wno-unused-function", "-Iinclude", "-c", "collector.bpf.c", "-o", str(out),
        # BTF names source files by their whole path: nothing of this machine may get into the object
        f"-ffile-prefix-map={HERE}=bpf", "-fdebug-compilation-dir=.",
    ]  # fmt: skip
    subprocess.run(command, cwd=HERE, check=True)
    return stripped(out.read_bytes())


def stripped(data: bytes) -> bytes:
    """A relocatable ELF file without its debug sections; symbols keep their numbers."""
    (table,) = struct.unpack_from("<Q", data, 40)
    count, names = struct.unpack_from("<HH", data, 60)
    headers = [list(struct.unpack_from("<IIQQQQIIQQ", data, table + index * 64)) for index in range(count)]

    def name(header: list[int]) -> str:
        start = headers[names][4] + header[0]
        return data[start : data.index(b"\0", start)].decode()

    kept = [index for index in range(count) if not name(headers[index]).startswith(DEBUG)]
    renumbered = {old: new for new, old in enumerate(kept)}
    out = bytearray(64)
    written: list[list[int]] = []
    for index in kept:
        header = list(headers[index])
        content = bytearray(data[header[4] : header[4] + header[5]] if header[1] != _SHT_NOBITS else b"")
        if header[1] == _SHT_SYMTAB:
            for at in range(0, len(content), 24):
                (section,) = struct.unpack_from("<H", content, at + 6)
                if 0 < section < 0xFF00:
                    struct.pack_into("<H", content, at + 6, renumbered.get(section, 0))
        if header[1] in (_SHT_SYMTAB, _SHT_REL, _SHT_RELA, _SHT_GROUP_LIKE):
            header[6] = renumbered.get(header[6], 0)
        if header[1] in (_SHT_REL, _SHT_RELA):
            header[7] = renumbered.get(header[7], 0)
        out += bytes(-len(out) % max(header[8], 1))
        header[4] = len(out)
        out += content
        written.append(header)
    out += bytes(-len(out) % 8)
    head = bytearray(data[:64])
    struct.pack_into("<Q", head, 40, len(out))
    struct.pack_into("<HH", head, 60, len(kept), renumbered[names])
    out[:64] = head
    for header in written:
        out += struct.pack("<IIQQQQIIQQ", *header)
    return bytes(out)


def main() -> int:
    """Build, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the repository instead of writing")
    check = parser.parse_args().check
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for machine in MACHINES:
            data, target = compile_object(machine, Path(folder)), OBJECTS / f"{machine}.bpf.o"
            if not check:
                target.write_bytes(data)
                print(f"{target.relative_to(HERE.parent)}: {len(data)} bytes")
            elif not target.exists() or target.read_bytes() != data:
                wrong.append(str(target.relative_to(HERE.parent)))
    if wrong:
        print(f"{', '.join(wrong)}: not what bpf/ compiles to; run: python bpf/build.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
