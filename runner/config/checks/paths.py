"""A prompt file that is named is there, inside the network file's directory."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.draft import Draft
from runner.config.library import Unread, is_prompt_file
from runner.diagnostics import Diagnostic


def prompt_files_are_there(draft: Draft) -> Iterator[Diagnostic]:
    for member in draft.members.values():
        for name, agent in member.file.agents.items():
            if not is_prompt_file(agent.instructions):
                continue
            text = draft.library.text(agent.instructions, said_in=member.written.file)
            if isinstance(text, Unread):
                span = member.written.span(("agents", name, "instructions"))
                yield Diagnostic(text.code, text.message, span, hint=text.hint)
