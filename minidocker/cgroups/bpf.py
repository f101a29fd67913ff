"""A BPF assembler with the few instructions that we need, and bpf(2).

An instruction is 8 bytes: opcode, two registers, a jump offset, a constant
(Documentation/bpf/standardization/instruction-set.rst).  A program gets its
context in r1 and returns its answer in r0.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence
from typing import NamedTuple

from minidocker.linux.syscalls import NR

# linux/bpf.h
PROG_LOAD = 5
PROG_ATTACH = 8
PROG_TYPE_CGROUP_DEVICE = 15
CGROUP_DEVICE = 6  # the attach type
F_ALLOW_MULTI = 2

_LOG_SIZE = 65536


class Instruction(NamedTuple):
    """``offset``: instructions to skip, counted from the next one."""

    opcode: int
    destination: int = 0
    source: int = 0
    offset: int = 0
    immediate: int = 0

    def encode(self) -> bytes:
        registers = self.source << 4 | self.destination
        return struct.pack("=BBhi", self.opcode, registers, self.offset, self.immediate)


def load_word(destination: int, source: int, offset: int) -> Instruction:
    """destination = *(u32 *)(source + offset)"""
    return Instruction(0x61, destination, source, offset)


def move(destination: int, source: int) -> Instruction:
    return Instruction(0xBF, destination, source)


def move_immediate(destination: int, value: int) -> Instruction:
    return Instruction(0xB7, destination, immediate=value)


def and_immediate(destination: int, value: int) -> Instruction:
    return Instruction(0x57, destination, immediate=value)


def shift_right(destination: int, bits: int) -> Instruction:
    return Instruction(0x77, destination, immediate=bits)


def jump_if(register: int, value: int, skip: int) -> Instruction:
    """Skip ``skip`` instructions if the register holds ``value``."""
    return Instruction(0x15, register, offset=skip, immediate=value)


def jump_if_not(register: int, value: int, skip: int) -> Instruction:
    return Instruction(0x55, register, offset=skip, immediate=value)


def leave() -> Instruction:
    """exit: the answer is in r0."""
    return Instruction(0x95)


def load(program_type: int, program: Sequence[Instruction], name: str) -> int:
    """BPF_PROG_LOAD: have the kernel verify ``program``; returns a descriptor that holds it.

    Raises ``OSError``; where the verifier refused, with the last line of what it said.
    """
    code = ctypes.create_string_buffer(b"".join(each.encode() for each in program))
    # The licence matters only to programs that call functions of the kernel that want the GPL.
    licence = ctypes.create_string_buffer(b"Apache-2.0")
    log = ctypes.create_string_buffer(_LOG_SIZE)

    def attributes(log_level: int) -> bytes:
        return struct.pack(
            "=IIQQIIQII16s",
            *(program_type, len(program), ctypes.addressof(code), ctypes.addressof(licence)),
            *(log_level, _LOG_SIZE if log_level else 0, ctypes.addressof(log) if log_level else 0),
            *(0, 0, name.encode()[:15]),
        )

    try:
        return _bpf(PROG_LOAD, attributes(0))
    except OSError as first:
        try:
            return _bpf(PROG_LOAD, attributes(1))
        except OSError:
            lines = log.value.decode(errors="replace").strip().splitlines()
            # The very last one is statistics: "processed 7 insns (limit 1000000) ..."
            said = [line for line in lines if not line.startswith("processed ")]
            reason = f"{first.strerror}: {said[-1]}" if said else first.strerror
            raise OSError(first.errno, reason) from first


def attach(program: int, target: int, attach_type: int, flags: int = 0) -> None:
    """BPF_PROG_ATTACH: ``target`` is a descriptor of the cgroup's directory."""
    _bpf(PROG_ATTACH, struct.pack("=IIIII", target, program, attach_type, flags, 0))


def _bpf(command: int, attributes: bytes) -> int:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result: int = syscall(ctypes.c_long(NR["bpf"]), command, buffer, ctypes.c_uint(len(attributes)))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"bpf: {os.strerror(number)}")
    return result
