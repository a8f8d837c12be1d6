"""A description of an x86-64 processor's registers for gdb, without those of AVX and AMX.

Older versions of gdb write such registers as a block that is too short for newer processors, which
Linux refuses. Names and order are gdb's, from its manual, "Standard Target Features".
"""

from __future__ import annotations

_GENERAL = (
    "rax",
    "rbx",
    "rcx",
    "rdx",
    "rsi",
    "rdi",
    "rbp",
    "rsp",
    *(f"r{n}" for n in range(8, 16)),
)
_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")
_FLOATING = ("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop")


def _registers(names: tuple[str, ...], bits: int, kind: str) -> str:
    return "".join(f'<reg name="{name}" bitsize="{bits}" type="{kind}"/>\n' for name in names)


def _feature(name: str, registers: str) -> str:
    return f'<feature name="org.gnu.gdb.i386.{name}">\n{registers}</feature>\n'


def description() -> str:
    """The description, as gdb reads it from a file."""
    core = (
        _registers(_GENERAL, 64, "int64")
        + _registers(("rip",), 64, "code_ptr")
        + _registers(("eflags", *_SEGMENTS), 32, "int32")
        + _registers(tuple(f"st{n}" for n in range(8)), 80, "i387_ext")
        + _registers(_FLOATING, 32, "int32")
    )
    sse = _registers(tuple(f"xmm{n}" for n in range(16)), 128, "uint128")
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "gdb-target.dtd">\n<target>\n'
        "<architecture>i386:x86-64</architecture>\n<osabi>GNU/Linux</osabi>\n"
        + _feature("core", core)
        + _feature("sse", sse + _registers(("mxcsr",), 32, "int32"))
        + _feature("linux", _registers(("orig_rax",), 64, "int64"))
        + _feature("segments", _registers(("fs_base", "gs_base"), 64, "int64"))
        + "</target>\n"
    )
