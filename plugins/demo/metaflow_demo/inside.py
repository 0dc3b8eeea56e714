"""``python -m metaflow_demo.inside PARENT HOLDER USER COMMAND...``: becomes a command that dies with its parent, in a network namespace.

PARENT is the process that must live, HOLDER one whose network namespace is entered (0 for none), USER whose rights it keeps (- for ours), or
USER:FOLDER for one that finds this folder at /mnt, since the way to it may be closed to that user. The namespaces have no names: they
are gone with the processes in them, also when everything is killed.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
import tempfile
from pathlib import Path

__all__ = ["become", "die_with_parent", "enter", "new_network"]

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_BIND, _MS_REC, _MS_SLAVE, _MNT_DETACH = 0x1000, 0x4000, 0x80000, 2


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def die_with_parent(parent: int) -> None:
    """The kernel kills this process when its parent ends, however that ends."""
    _checked(_libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        # it ended before the kernel knew
        os._exit(1)


def become(user: str) -> None:
    """Keep the rights of a user only. With ``USER:FOLDER`` the folder is at /mnt, for this process and its children (mount namespace)."""
    name, _, folder = user.partition(":")
    if folder:
        libc = _libc()
        _checked(libc.unshare(_CLONE_NEWNS), "unshare")
        _checked(libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None), "mount")
        _checked(libc.mount(os.fsencode(folder), b"/mnt", None, _MS_BIND, None), "mount /mnt")
        os.chdir("/mnt")
    found = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(found.pw_gid)
    os.setuid(found.pw_uid)
    os.environ["HOME"] = "/"


def new_network() -> None:
    """Leave for a network namespace that nobody else is in."""
    _checked(_libc().unshare(_CLONE_NEWNET), "unshare")


def enter(holder: int) -> None:
    """Go into the network namespace of a process, with a /sys that shows its interfaces (mount namespace of our own)."""
    libc = _libc()
    descriptor = os.open(f"/proc/{holder}/ns/net", os.O_RDONLY)
    try:
        _checked(libc.setns(descriptor, _CLONE_NEWNET), "setns")
    finally:
        os.close(descriptor)
    _checked(libc.unshare(_CLONE_NEWNS), "unshare")
    _checked(libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None), "mount")
    # what limits a process is read in /sys/fs/cgroup, what the kernel does in tracefs: they are carried over to the new /sys
    kept = {place: _keep(libc, place) for place in (b"/sys/fs/cgroup", b"/sys/kernel/tracing")}
    libc.umount2(b"/sys", _MNT_DETACH)
    _checked(libc.mount(b"sysfs", b"/sys", b"sysfs", 0, None), "mount /sys")
    for place, folder in kept.items():
        if folder:
            libc.mount(folder, place, None, _MS_BIND | _MS_REC, None)
            libc.umount2(folder, _MNT_DETACH)
            Path(os.fsdecode(folder)).rmdir()


def _keep(libc: ctypes.CDLL, place: bytes) -> bytes:
    """A folder where the same is mounted; empty when it cannot be."""
    folder = tempfile.mkdtemp().encode()
    if not libc.mount(place, folder, None, _MS_BIND | _MS_REC, None):
        return folder
    Path(os.fsdecode(folder)).rmdir()
    return b""


def main() -> None:
    """See the module."""
    parent, holder, user, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    if holder:
        enter(holder)
    if user != "-":
        become(user)
    # last, because a change of user takes it back
    die_with_parent(parent)
    if command == ["hold"]:
        new_network()
        print("ready", flush=True)
        signal.pause()
    os.execvp(command[0], command)  # noqa: S606 - the point of this program; no shell


if __name__ == "__main__":
    main()
