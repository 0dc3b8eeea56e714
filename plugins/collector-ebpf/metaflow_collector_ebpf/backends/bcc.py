"""The same programs, compiled on this machine by the distribution's bcc (Debian: python3-bpfcc; never PyPI's ``bcc``).

For kernels that cannot relocate a compiled object themselves (before 5.17), and for those who want to see bcc do it.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metaflow_collector_ebpf.backends.headers import write_tree
from metaflow_collector_ebpf.kernel.btf import BadBtf, Btf
from metaflow_collector_ebpf.kernel.calls import Map
from metaflow_collector_ebpf.kernel.objects import Loaded
from metaflow_collector_ebpf.probe import bcc_path
from metaflow_core.errors import UnavailableError

__all__ = ["load_bcc", "source"]

_OBJECTS = Path(__file__).parents[1] / "objects"
_INCLUDE = re.compile(r'^#include "(\w+\.h)"$', re.MULTILINE)
_MAP = re.compile(r"^MAP\((\w+), (\w+), (\w+), ([\w ]+), ([\w ]+)\);", re.MULTILINE)
_PAGES = re.compile(r"^PAGES\((\w+),", re.MULTILINE)
_STORAGE = re.compile(r"^STORAGE\((\w+), ([\w ]+)\);", re.MULTILINE)
_PROGRAM = re.compile(r'^PROGRAM\("(\w+)/\w+", (\w+)\)', re.MULTILINE)
# bcc rewrites calls on maps, and does not look into macros for them
_CALLS = (
    (re.compile(r"MAP_GET\((\w+), ([&\w]+)\)"), r"\1.lookup(\2)"),
    (re.compile(r"MAP_PUT\((\w+), ([&\w]+), ([&\w]+)\)"), r"\1.update(\2, \3)"),
    (re.compile(r"MAP_DELETE\((\w+), ([&\w]+)\)"), r"\1.delete(\2)"),
    (re.compile(r"RING_OUTPUT\((\w+), ([&\w]+), ([\w()]+), (\w+)\)"), r"\1.ringbuf_output((void *)\2, \3, \4)"),
)
_TABLES = {"MAP_HASH": "hash", "MAP_ARRAY": "array", "MAP_PERCPU_ARRAY": "percpu_array", "MAP_LRU_HASH": "lru_hash"}
_RINGS = ("records", "processes")


class BccLoaded(Loaded):
    """What bcc put into the kernel. It keeps the descriptors and closes them itself."""

    __slots__ = ("_module",)

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._module = module

    def close(self) -> None:
        """Give everything back. Idempotent."""
        self.programs, self.maps = {}, {}
        module, self._module = self._module, None
        if module is not None:
            module.cleanup()


def source(texts: Mapping[str, str], entries: Mapping[str, int]) -> str:
    """One text of all files, with the maps declared in bcc's way.

    :param texts: file names to their contents. :param entries: sizes of rings in bytes.
    """
    seen: set[str] = set()

    def inline(found: re.Match[str]) -> str:
        name = found[1]
        # helpers.h is what bcc brings itself
        if name in seen or name == "helpers.h":
            return ""
        seen.add(name)
        return _INCLUDE.sub(inline, texts[name])

    # where an array begins is nothing that bcc lets one choose
    body = _PAGES.sub(r"MAP(\1, MAP_ARRAY,", _INCLUDE.sub(inline, texts["collector.bpf.c"]))
    tables = "".join(
        f'BPF_TABLE("{_TABLES[kind]}", {key}, {value}, {name}, {most});\n'
        for name, kind, most, key, value in _MAP.findall(body)
    )
    # what hangs on a thread elsewhere is found by its number here
    tables += "".join(
        f'BPF_TABLE("lru_hash", u64, {value}, {name}, 32768);\n' for name, value in _STORAGE.findall(body)
    )
    # sizes of rings are counted in pages
    rings = "".join(f"BPF_RINGBUF_OUTPUT({name}, {max(1, entries[name] // 4096)});\n" for name in _RINGS)
    for pattern, replacement in _CALLS:
        body = pattern.sub(replacement, body)
    return _PREFIX + body.replace("/* maps for bcc */", tables + rings)


_PREFIX = """
#define MF_BCC 1
#define INLINE static inline __attribute__((always_inline))
#define PEEK(to, from) bpf_probe_read_kernel(&(to), sizeof(to), &(from))
#define CURRENT_TASK() ((struct task_struct *)bpf_get_current_task())
#define FOLLOW PEEK
#define CAN_CAST() 0
#define CAST(address, type) ((type *)(address))
#define WHO(task) bpf_get_current_pid_tgid()
#define REGISTERS_OF(task) ((struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()))
#define OFFSET(type, member) __builtin_offsetof(struct type, member)
#define COMM_TO(to, task) bpf_get_current_comm(to, 16)
#define HAS_F_REF HAS_file_f_ref
#define HAS_START_BOOTTIME HAS_task_struct_start_boottime
/* clang does not offer the result of an atomic addition to this old machine model; ids hold the processor's number anyway */
#define ATOMIC_NEXT(at) ((*(at))++)
#define ATOMIC_BACK(at) ((*(at))--)
INLINE int claim_slot(unsigned int *busy) { if (*busy) return 1; *busy = 1; return 0; }
#define CLAIM(at) claim_slot(at)
INLINE int claim_from(unsigned long long *at, unsigned long long from, unsigned long long to) { if (*at != from) return 0; *at = to; return 1; }
#define CLAIM_64(at, from, to) claim_from(at, from, to)
#define OPAQUE(a, b) asm volatile("" : "+r"(a), "+r"(b))
#define PROGRAM(section, name) int name
#define TURN(place, name) INLINE long name
#define REPEAT(most, turn, state) do { for (int turns = 0; turns < most; turns++) if (turn(turns, state)) break; } while (0)
"""


def load_bcc(entries: Mapping[str, int]) -> Loaded:
    """Compile and load.

    :raises UnavailableError: bcc is not here, or this kernel tells nothing of its types; the sentence says which.
    """
    bcc = _import()
    texts = {path.name: path.read_text() for path in [*_OBJECTS.glob("*.c"), *(_OBJECTS / "include").glob("*.h")]}
    with tempfile.TemporaryDirectory(prefix="metaflow-bcc-") as folder:
        try:
            write_tree(
                Path(folder), texts["kernel.h"], Btf(Path("/sys/kernel/btf/vmlinux").read_bytes()), platform.machine()
            )
        except (OSError, BadBtf, KeyError) as error:
            raise UnavailableError(
                f"bcc needs to know this kernel's types, and they cannot be read: {error}"
            ) from error
        text = source(texts, entries)
        before = os.environ.get("BCC_KERNEL_SOURCE")
        os.environ["BCC_KERNEL_SOURCE"] = folder
        try:
            target = "arm64" if platform.machine() == "aarch64" else "x86"
            module = bcc.BPF(text=text.encode(), cflags=["-Wno-everything", f"-D__TARGET_ARCH_{target}"])
            return _loaded(bcc, module, text)
        except Exception as error:  # bcc raises plain Exception for everything, and has said why on standard error
            raise UnavailableError(f"bcc does not compile or load the programs: {error}") from error
        finally:
            if before is None:
                os.environ.pop("BCC_KERNEL_SOURCE", None)
            else:
                os.environ["BCC_KERNEL_SOURCE"] = before


def _loaded(bcc: Any, module: Any, text: str) -> Loaded:
    loaded = BccLoaded(module)
    kinds = {"tracepoint": bcc.BPF.TRACEPOINT, "uprobe": bcc.BPF.KPROBE}
    for kind, name in _PROGRAM.findall(text):
        loaded.programs[name] = module.load_func(name.encode(), kinds[kind]).fd
    for name in [*(found[0] for found in _MAP.findall(text)), *_RINGS]:
        table = module[name.encode()]
        sizes = (0, 0) if name in _RINGS else (_size(table.Key), _size(table.Leaf))
        loaded.maps[name] = Map(table.map_fd, 0, sizes[0], sizes[1], 1 << 16)
    return loaded


def _size(kind: Any) -> int:
    import ctypes

    return ctypes.sizeof(kind)


def _import() -> Any:
    """The module, by its folder put last on the path while it is imported: nothing else of the distribution's is seen."""
    path = bcc_path()
    if path is None:
        raise UnavailableError("bcc is not installed (Debian: apt-get install python3-bpfcc)")
    sys.path.append(str(path))
    try:
        module = importlib.import_module("bcc")
        if not hasattr(module, "BPF"):
            raise ImportError(f"{module.__file__} is another package of that name; uninstall it: pip uninstall bcc")
        return module
    except (ImportError, OSError) as error:
        raise UnavailableError(f"bcc in {path} cannot be imported: {error}") from error
    finally:
        sys.path.remove(str(path))
