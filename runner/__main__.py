"""`python -m runner` is `run-network`."""

from __future__ import annotations

from runner.cli import early


def main() -> None:
    """Run the command line of this process and end it. What takes time to import is imported here: Ctrl-C may come."""
    early.leave_at_once()
    from runner.cli.app import main as begin

    begin()


if __name__ == "__main__":
    main()
