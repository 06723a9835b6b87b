"""The seccomp filters of a live process, as the kernel has them (PTRACE_SECCOMP_GET_FILTER), and which system calls they
let through with some arguments. Needs root, and a process that nobody else traces."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from pathlib import Path

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_SECCOMP_GET_FILTER = 17, 0x4206, 0x4207, 0x420C
AUDIT_ARCH_X86_64 = 0xC000003E
SECCOMP_RET_ALLOW = 0x7FFF0000
NR, ARCH = 0, 4  # places in struct seccomp_data
BPF_CLASS, BPF_LD, BPF_ALU, BPF_JMP, BPF_RET = 0x07, 0x00, 0x04, 0x05, 0x06
JUMPS = {0x10: lambda a, k: a == k, 0x20: lambda a, k: a > k, 0x30: lambda a, k: a >= k, 0x40: lambda a, k: a & k != 0}
LAST_CALL = 600

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long

Program = list[tuple[int, int, int, int]]  # code, jump where true, where false, constant


def names() -> dict[int, str]:
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
    return {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", header)}


def _ptrace(request: int, pid: int, address: int = 0, data: object = None) -> int:
    result = int(_libc.ptrace(request, pid, address, data))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace({request:#x}, {pid}): {os.strerror(number)}")
    return result


def filters_of(pid: int) -> list[Program]:
    """The newest last. The process is stopped for a moment."""
    _ptrace(PTRACE_SEIZE, pid)
    try:
        _ptrace(PTRACE_INTERRUPT, pid)
        os.waitpid(pid, 0x40000000)  # __WALL
        programs: list[Program] = []
        while True:
            try:
                length = _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(programs))
            except OSError:
                return programs
            room = ctypes.create_string_buffer(8 * length)
            _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(programs), ctypes.addressof(room))
            programs.append(list(struct.iter_unpack("=HBBI", room.raw)))
    finally:
        _ptrace(PTRACE_DETACH, pid)


def lets_through(program: Program, number: int) -> bool:
    """Whether there are arguments with which the call is allowed: a comparison with an argument may go either way."""
    seen: set[tuple[int, int | None]] = set()
    todo: list[tuple[int, int | None]] = [(0, None)]
    while todo:
        at, value = todo.pop()  # value: of the accumulator; None: an argument, unknown
        if (at, value) in seen:
            continue
        seen.add((at, value))
        code, if_true, if_false, constant = program[at]
        kind = code & BPF_CLASS
        if kind == BPF_RET:
            if constant == SECCOMP_RET_ALLOW:
                return True
        elif kind == BPF_LD:
            todo.append((at + 1, {NR: number, ARCH: AUDIT_ARCH_X86_64}.get(constant)))
        elif kind == BPF_ALU:
            assert value is None, "only arguments are masked"
            todo.append((at + 1, None))
        elif code & 0xF0 == 0:
            todo.append((at + 1 + constant, value))
        else:
            ways = {True, False} if value is None else {JUMPS[code & 0xF0](value, constant)}
            todo += [(at + 1 + (if_true if way else if_false), value) for way in ways]
    return False


def reachable(pid: int) -> set[str]:
    """The names of the system calls that all filters of the process let through, with some arguments."""
    programs, named = filters_of(pid), names()
    assert programs, f"process {pid} has no filter"
    return {named.get(number, str(number)) for number in range(LAST_CALL) if all(lets_through(program, number) for program in programs)}
