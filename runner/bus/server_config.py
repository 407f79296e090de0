"""The configuration text of the embedded nats-server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.bus.permissions import Permissions

GIBIBYTE = 1024**3
MAX_PAYLOAD_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Where the embedded server keeps its things, all under `.run-network/`."""

    directory: Path

    @property
    def config(self) -> Path:
        return self.directory / "nats-server.conf"

    @property
    def log(self) -> Path:
        return self.directory / "nats-server.log"

    @property
    def output(self) -> Path:
        """What it says before it has its log."""
        return self.directory / "nats-server.out"

    @property
    def store(self) -> Path:
        return self.directory / "store"

    @property
    def ports(self) -> Path:
        return self.directory / "ports"

    @property
    def pid(self) -> Path:
        return self.directory / "nats-server.pid"


def server_config(files: ServerFiles, port: int, users: Mapping[str, Permissions], system_key: str) -> str:
    """Loopback only, every write fsynced, explicit limits, no monitor port; `users` by public nkey.

    Port -1 lets the server choose. The holder of `system_key` may ask the server how it is.
    """
    accounts = "\n".join(f"      {_user(public, permissions)}" for public, permissions in sorted(users.items()))
    return f"""# written by run-network at every start: edits are lost
listen: "127.0.0.1:{port}"
pid_file: {_quoted(files.pid)}
ports_file_dir: {_quoted(files.ports)}
log_file: {_quoted(files.log)}
logfile_size_limit: 16MB
max_payload: {MAX_PAYLOAD_BYTES}
max_connections: 65536
max_pending: 64MB
write_deadline: "10s"
jetstream {{
  store_dir: {_quoted(files.store)}
  sync_interval: always
  max_memory_store: {GIBIBYTE}
  max_file_store: {16 * GIBIBYTE}
  limits {{ default_max_consumers: -1 }}
}}
system_account: SYSTEM
accounts {{
  SYSTEM {{ users: [ {{ nkey: {system_key} }} ] }}
  NETWORK {{
    jetstream: enabled
    users: [
{accounts}
    ]
  }}
}}
"""


def _user(public: str, permissions: Permissions) -> str:
    parts = [
        f"publish: {{ allow: {json.dumps(permissions.publish)} }}",
        f"subscribe: {{ allow: {json.dumps(permissions.subscribe)} }}",
    ]
    if permissions.responds_within is not None:
        seconds = int(permissions.responds_within.total_seconds())
        parts.append(f'allow_responses: {{ max: 1, expires: "{seconds}s" }}')
    return f"{{ nkey: {public}, permissions: {{ {', '.join(parts)} }} }}"


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)
