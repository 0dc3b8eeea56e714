"""Kernel headers for bcc, made from the running kernel's BTF: no headers package, and always this kernel's offsets.

bcc compiles with clang and wants a tree of kernel headers. It gets one of empty files, and one that holds what its own helpers and
these programs name: enumerations as they are in BTF, and the structures of ``bpf/include/kernel.h`` with each member at the place
that it has in this kernel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metaflow_collector_ebpf.kernel import btf as types
from metaflow_collector_ebpf.kernel.btf import BadBtf, Btf

__all__ = ["structures", "write_tree"]

_EMPTY = (
    *("linux/version.h", "linux/types.h", "linux/log2.h", "linux/ptrace.h", "linux/bpf_common.h", "asm/page.h"),
    *("uapi/linux/bpf.h", "uapi/linux/if_packet.h", "uapi/linux/ptrace.h"),
)
_ENUMS = (
    "bpf_func_id",
    "bpf_map_type",
    "bpf_prog_type",
    "bpf_attach_type",
    "bpf_adj_room_mode",
    "bpf_hdr_start_off",
    "bpf_ret_code",
)
# structures of what a kernel may have been made without: then nothing is attached that reads them
_MAY_BE_MISSING = frozenset({"io_kiocb", "io_sr_msg", "io_rw", "io_accept"})
_PART = re.compile(r"/\* structures: begin \*/(.*?)/\* structures: end \*/", re.DOTALL)
_STRUCT = re.compile(r"(typedef )?struct (\w*) ?\{([^{}]*)\} ?(\w*);")
_MEMBER = re.compile(r"(.+?[ *])(\w+)(\[\d+\])?$")

_HEAD = """#pragma once
#define CONFIG_64BIT 1
#define CONFIG_BPF_SYSCALL 1
#define CONFIG_BPF 1
#define CONFIG_BPF_EVENTS 1
#define CONFIG_PERF_EVENTS 1
#define __LINUX_BPF_H__
#define _UAPI__LINUX_BPF_H__
#define BPF_NO_PRESERVE_ACCESS_INDEX
#define LINUX_VERSION_CODE 0x61200
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#define PAGE_SIZE 4096
#define THREAD_SIZE 16384
#define BPF_FUNC_MAX_ARGS 5
#define __user
#define __kernel
#define NULL ((void *)0)
#define roundup_pow_of_two(n) (n)
typedef unsigned char __u8, u8; typedef signed char __s8, s8;
typedef unsigned short __u16, u16, __be16, __sum16; typedef short __s16, s16;
typedef unsigned int __u32, u32, __be32, __wsum; typedef int __s32, s32;
typedef unsigned long long __u64, u64, __be64; typedef long long __s64, s64;
typedef _Bool bool; typedef unsigned long size_t; typedef int pid_t; typedef unsigned long uintptr_t;
struct bpf_stack_build_id { s32 status; unsigned char build_id[20]; u64 offset; };
enum { false = 0, true = 1 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2, BPF_F_LOCK = 4 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2, BPF_RB_AVAIL_DATA = 0 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_USER_STACK = 256, BPF_F_FAST_STACK_CMP = 512, BPF_F_REUSE_STACKID = 1024, BPF_F_USER_BUILD_ID = 2048 };
#define BPF_F_INDEX_MASK 0xffffffffULL
#define BPF_F_CURRENT_CPU BPF_F_INDEX_MASK
#define BPF_F_CTXLEN_MASK (0xfffffULL << 32)
#define BPF_PSEUDO_FUNC 4
"""
_REGISTERS = {
    "x86_64": "struct pt_regs { unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss; };\n",
    "aarch64": "struct user_pt_regs { u64 regs[31], sp, pc, pstate; };\nstruct pt_regs { u64 regs[31], sp, pc, pstate; };\n",
}


def write_tree(folder: Path, kernel_header: str, btf: Btf, machine: str) -> None:
    """Write the tree to a folder.

    :param kernel_header: the text of ``bpf/include/kernel.h``. :raises BadBtf: a structure is not in this kernel.
    """
    include = folder / "include"
    for name in _EMPTY:
        path = include / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#pragma once\n")
    text = _HEAD + _REGISTERS[machine] + _enums(btf) + structures(kernel_header, btf)
    (include / "linux" / "kconfig.h").write_text(text)


def _enums(btf: Btf) -> str:
    parts: list[str] = []
    for name in _ENUMS:
        number = btf.find(types.ENUM, name)
        if number:
            values = ", ".join(f"{item} = {value}" for item, value in btf.enumerators(btf.type(number)))
            parts.append(f"enum {name} {{ {values} }};\n")
    return "".join(parts)


def structures(kernel_header: str, btf: Btf) -> str:
    """The structures of the header, each member at its offset in this kernel; members that it has not are told by ``HAS_...``.

    :raises BadBtf: the header or the kernel has no such structure.
    """
    part = _PART.search(kernel_header)
    if part is None:
        raise BadBtf("kernel.h has no marked structures")
    declared = [(found[2], found[3], found[4]) for found in _STRUCT.finditer(part[1])]
    names = frozenset(name for name, _, _ in declared if name)
    known: Mapping[str, types.Type] = btf.structures(names)
    out = [f"struct {name};\n" for name in sorted(names)]
    for name, body, alias in declared:
        if not name:
            out.append(f"typedef struct {{ {body.strip()} }} {alias};\n")
            continue
        if name in ("count", "file_ref") or (name not in known and name in _MAY_BE_MISSING):
            out.append(f"struct {name} {{ {body.strip()} }};\n")
            continue
        if name not in known:
            raise BadBtf(f"this kernel's BTF has no struct {name}")
        out.append(_structure(name, body, known[name], btf))
    return "".join(out)


def _structure(name: str, body: str, kernel: types.Type, btf: Btf) -> str:
    """Members in a union, each behind as many bytes as come before it."""
    parts: list[str] = []
    for text in (item.strip() for item in body.split(";")):
        found = _MEMBER.match(text)
        if not found:
            continue
        offset = btf.offset_of(kernel, found[2])
        parts.append(f"#define HAS_{name}_{found[2]} {int(offset is not None)}\n")
        before = f"char before_{found[2]}[{offset}]; " if offset else ""
        parts.append(f"struct {{ {before}{found[1]}{found[2]}{found[3] or ''}; }} __attribute__((packed));\n")
    defines = "".join(item for item in parts if item.startswith("#"))
    members = "".join(item for item in parts if not item.startswith("#"))
    return f"{defines}struct {name} {{ union {{\nchar whole[{kernel.size}];\n{members}}}; }};\n"
