"""The nkeys of a network's users: seeds in files of mode 0600, public keys for the server's configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import nkeys


@dataclass(frozen=True, slots=True)
class Key:
    """One user's nkey. The seed is the secret; the server only ever sees `public`."""

    seed: str
    public: str

    def __repr__(self) -> str:
        return f"Key({self.public})"


def key_in(path: Path) -> Key:
    """The key in this file, made and written (0600) if there is none."""
    if not path.exists():
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(seed)
    return key_of(path.read_text().strip())


def key_of(seed: str) -> Key:
    return Key(seed, nkeys.from_seed(bytearray(seed.encode())).public_key.decode())
