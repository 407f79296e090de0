"""Diagnostics as printed, whole."""

from __future__ import annotations

from runner.cli.render import diagnostics as render
from runner.diagnostics import Diagnostic, Severity, Span

SOURCE = "version: 1\nnetwork: hotel\nensembles:\n  kitchn: {}\n  bar:\tnull\n"
TYPO = Diagnostic(
    "unknown-ensemble",
    "no ensemble is called `kitchn`",
    Span("network.yaml", 4, 3, 4, 9),
    hint="did you mean `kitchen`?",
)
WARNING = Diagnostic("odd", "100% strange: a, b", Span("other.yaml", 1, 1, 1, 2), Severity.WARNING)


def test_the_human_format_shows_the_place_with_carets_under_it() -> None:
    assert render.human([TYPO, WARNING], {"network.yaml": SOURCE}) == (
        "network.yaml:4:3: error[unknown-ensemble]: no ensemble is called `kitchn`\n"
        "  4 |   kitchn: {}\n"
        "    |   ^^^^^^\n"
        "hint: did you mean `kitchen`?\n"
        "\n"
        "other.yaml:1:1: warning[odd]: 100% strange: a, b"
    )


def test_a_span_over_several_lines_is_marked_to_the_end_of_its_first() -> None:
    found = Diagnostic("x", "m", Span("network.yaml", 3, 1, 4, 5))
    assert render.human([found], {"network.yaml": SOURCE}).splitlines()[1:] == [
        "  3 | ensembles:",
        "    | ^^^^^^^^^^",
    ]


def test_control_characters_are_shown_and_never_sent_to_the_terminal() -> None:
    found = Diagnostic("x", "bad \x1b[31m name", Span("network.yaml", 5, 8, 5, 12))
    assert render.human([found], {"network.yaml": SOURCE}) == (
        "network.yaml:5:8: error[x]: bad \\x1b[31m name\n"
        "  5 |   bar:\\tnull\n"
        "    |         ^^^^"
    )  # fmt: skip


def test_carets_stand_under_wide_characters() -> None:
    found = Diagnostic("x", "m", Span("a", 1, 4, 1, 6))
    assert render.human([found], {"a": "日本: 部屋"}).splitlines()[1:] == ["  1 | 日本: 部屋", "    |      ^^^"]


def test_a_long_line_is_cut_around_the_place() -> None:
    line = "x" * 300 + "HERE" + "y" * 300
    found = Diagnostic("x", "m", Span("a", 1, 301, 1, 305))
    shown, carets = render.human([found], {"a": line}).splitlines()[1:]
    assert len(shown) < 120
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "HERE"


def test_a_place_past_the_end_of_the_file_has_no_excerpt() -> None:
    found = Diagnostic("x", "m", Span("a", 9, 1, 9, 1))
    assert render.human([found], {"a": "one line"}) == "a:9:1: error[x]: m"


def test_colour_changes_no_word() -> None:
    plain = render.human([TYPO], {"network.yaml": SOURCE})
    coloured = render.human([TYPO], {"network.yaml": SOURCE}, colour=True)
    for code in ("\x1b[31;1m", "\x1b[31m", "\x1b[36m", "\x1b[0m"):
        assert code in coloured
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_the_concise_format_is_a_line_each() -> None:
    assert render.concise([TYPO, WARNING]) == (
        "network.yaml:4:3: error[unknown-ensemble]: no ensemble is called `kitchn` (hint: did you mean `kitchen`?)\n"
        "other.yaml:1:1: warning[odd]: 100% strange: a, b"
    )


def test_the_json_format_has_every_field() -> None:
    assert render.as_json([TYPO]) == [
        {
            "code": "unknown-ensemble",
            "severity": "error",
            "message": "no ensemble is called `kitchn`",
            "hint": "did you mean `kitchen`?",
            "file": "network.yaml",
            "line": 4,
            "column": 3,
            "endLine": 4,
            "endColumn": 9,
        }
    ]


def test_the_github_format_is_workflow_commands_with_their_escapes() -> None:
    assert render.github([TYPO, WARNING]) == (
        "::error file=network.yaml,line=4,col=3,endLine=4,endColumn=9,title=unknown-ensemble::"
        "no ensemble is called `kitchn`%0Ahint: did you mean `kitchen`?\n"
        "::warning file=other.yaml,line=1,col=1,endLine=1,endColumn=2,title=odd::100%25 strange: a, b"
    )


def test_the_summary_counts() -> None:
    assert render.summary([TYPO, TYPO, WARNING]) == "2 errors, 1 warning"
    assert render.summary([]) == ""
