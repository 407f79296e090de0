"""`run-network` that tells what lives in it: on SIGUSR1 it writes that to the file that LIVE names.

    LIVE=file python benchmarks/inside.py up --json

What lives is what no collection frees: resident memory also has what the allocators keep for later, and garbage that
waits for the next collection.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
from pathlib import Path

from runner.cli.app import main


class _Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc, from 2.33 on."""

    _names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    _fields_ = tuple((name, ctypes.c_size_t) for name in _names)


def native() -> int | None:
    """The bytes that are allocated beside Python's own small objects; None where the C library does not tell."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return None
    ask.restype = _Mallinfo
    found = ask()
    return int(found.uordblks + found.hblkhd)


def tell(*_: object) -> None:
    gc.collect()
    file = Path(os.environ["LIVE"])
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps({"blocks": sys.getallocatedblocks(), "native": native()}))
    draft.replace(file)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    main()
