# SPDX-License-Identifier: Apache-2.0
"""BPF programs of somebody else on a cgroup, without a compiler: a few instructions each."""
import ctypes
import os
import platform
import struct

SYSCALL = {"x86_64": 321, "aarch64": 280}
PROG_LOAD, PROG_ATTACH = 5, 8  # enum bpf_cmd
TYPE_SOCK_OPS = 13  # enum bpf_prog_type
ATTACH_SOCK_OPS = 3  # enum bpf_attach_type
ALLOW_MULTI = 2
CB_FLAGS_SET = 59  # enum bpf_func_id

# A struct bpf_insn: opcode, registers (destination lowest), offset, immediate.
MOV_R2 = struct.pack("<BBhi", 0xB7, 2, 0, 0)
CALL_CB_FLAGS_SET = struct.pack("<BBhi", 0x85, 0, 0, CB_FLAGS_SET)
RETURN_1 = struct.pack("<BBhi", 0xB7, 0, 0, 1) + struct.pack("<BBhi", 0x95, 0, 0, 0)


def _bpf(command, attributes):
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = libc.syscall(SYSCALL[platform.machine()], command, buffer, len(attributes))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class ClearsCallbackFlags:
    """A sock_ops program that asks for no callback, whatever the programs before it asked for."""

    def __init__(self, case, cgroup):
        instructions = MOV_R2 + CALL_CB_FLAGS_SET + RETURN_1
        self._instructions = ctypes.create_string_buffer(instructions, len(instructions))
        self._licence = ctypes.create_string_buffer(b"GPL")
        case.own(self)
        self._program = _bpf(
            PROG_LOAD,
            struct.pack(
                "<IIQQIIQII",
                TYPE_SOCK_OPS,
                len(instructions) // 8,
                ctypes.addressof(self._instructions),
                ctypes.addressof(self._licence),
                0,
                0,
                0,
                0,
                0,
            ),
        )
        directory = os.open(cgroup.path, os.O_RDONLY)
        try:
            target = struct.pack("<IIII", directory, self._program, ATTACH_SOCK_OPS, ALLOW_MULTI)
            _bpf(PROG_ATTACH, target)
        finally:
            os.close(directory)

    def close(self):
        """The cgroup lets go of the program when it is removed."""
        if hasattr(self, "_program"):
            os.close(self._program)
