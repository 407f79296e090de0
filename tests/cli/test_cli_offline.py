"""Verbs that need no running network, as processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from runner.cli.verbs.table import LATER, VERBS
from tests.support.terminal import Directory, command, ended, eventually, in_shell, surroundings

SMALL = """\
network: shop
ensembles:
  desk:
    uses: {stock: {to: wharehouse/count}}
    tasks: {order: {share: true, steps: [{use: stock}]}}
  warehouse:
    tools: {count: {python: "goods:count", share: [stock]}}
"""
GOODS = "def count(text: str) -> int:\n    return len(text)\n"


@pytest.fixture
def shop(directory: Directory) -> Directory:
    directory.write("network.yaml", SMALL)
    directory.write("goods.py", GOODS)
    return directory


def test_validate_shows_the_place_and_the_remedy_and_exits_1(shop: Directory) -> None:
    ran = shop.run("validate")
    assert ran.code == 1
    assert "network.yaml:4:" in ran.out
    assert "    |" in ran.out
    assert "^" in ran.out
    assert "did you mean `warehouse" in ran.out
    assert ran.out.endswith("network.yaml is not valid: 1 error\n")
    assert ran.err == ""


def test_validate_has_a_format_for_programs(shop: Directory) -> None:
    (found,) = shop.run("validate", "--format", "json").json
    assert {"code", "severity", "message", "hint", "file", "line", "column"} <= found.keys()
    assert (found["severity"], found["file"], found["line"]) == ("error", "network.yaml", 4)
    assert shop.run("validate", "--json").json == [found]
    assert shop.run("validate", "--format", "github").out.startswith("::error file=network.yaml,line=4,col=")
    assert shop.run("validate", "--format", "concise").out.count("\n") == 1


def test_a_valid_file_is_told_in_one_line_and_exits_0(shop: Directory) -> None:
    shop.write("network.yaml", SMALL.replace("wharehouse", "warehouse"))
    ran = shop.run("validate")
    assert (ran.code, ran.out, ran.err) == (
        0,
        "network.yaml is valid: shop, 2 ensembles, 2 shared capabilities, 1 use\n",
        "",
    )
    assert shop.run("validate", "--format", "json").json == []
    assert shop.run("validate", "--format", "github").out == ""


def test_files_are_named_as_seen_from_where_the_command_runs(shop: Directory) -> None:
    inside = Directory(shop.path / "inside")
    inside.path.mkdir()
    (found,) = inside.run("validate", "-f", "../network.yaml", "--json").json
    assert found["file"] == "../network.yaml"


def test_validate_never_executes_modules_unless_asked_to(shop: Directory) -> None:
    shop.write("network.yaml", SMALL.replace("wharehouse", "warehouse"))
    shop.write("goods.py", "open('executed', 'w').close()\nraise RuntimeError('boom')\n" + GOODS)
    assert shop.run("validate").code == 0
    assert not (shop.path / "executed").exists()
    ran = shop.run("validate", "--import", "--format", "concise")
    assert ran.code == 1
    assert "goods.py" in ran.out
    assert "boom" in ran.out
    assert (shop.path / "executed").exists()


def test_the_sample_is_valid_and_answered_at_once(hotel: Directory) -> None:
    hotel.run("validate")
    took = []
    for _ in range(3):
        start = computed_by_children()
        assert hotel.run("validate").code == 0
        took.append(computed_by_children() - start)
    assert min(took) < 1.5, "0.5 s on a quiet machine"


def computed_by_children() -> float:
    """In seconds: a busy machine makes it no more."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_validate_loads_neither_the_event_loop_nor_nats_nor_rich(hotel: Directory) -> None:
    loaded = subprocess.run(
        [command()[0], "-X", "importtime", "-m", "runner", "validate"],
        cwd=hotel.path,
        env=surroundings(),
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    modules = {line.rpartition("|")[2].strip() for line in loaded.splitlines() if line.startswith("import time:")}
    assert "runner.config.reading" in modules
    heavy = {"nats", "rich", "runner.host", "runner.client", "runner.bus", "runner.functions"}
    assert not heavy & modules


@pytest.mark.parametrize(
    "words", [["cal"], ["call"], ["validate", "--frmat"], ["graph", "--format", "jpeg"], ["x", "y"]]
)
def test_usage_errors_exit_1_with_a_hint(directory: Directory, words: list[str]) -> None:
    ran = directory.run(*words)
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("error[usage]: ")
    assert "Traceback" not in ran.err
    told = directory.run(*words, "--json")
    assert told.code == 1
    assert told.json["error"].keys() == {"code", "message", "hint"}


def test_an_unknown_verb_is_met_with_the_one_meant(directory: Directory) -> None:
    assert directory.run("valdate").err == (
        "error[usage]: no verb is called `valdate`\nhint: did you mean `validate`?\n"
    )


def test_a_verb_of_a_later_version_is_refused_by_name(directory: Directory) -> None:
    assert not LATER & VERBS.keys()
    ran = directory.run("mcp")
    assert (ran.code, ran.err) == (1, "error[usage]: `mcp` is not yet supported\nhint: a later version brings it\n")


def test_an_option_of_a_later_version_is_refused_by_name(hotel: Directory) -> None:
    for words in (["up", "--profile", "x"], ["call", "a/b", "--fresh"], ["--http", "127.0.0.1:1"]):
        assert "is not yet supported" in hotel.run(*words).err


def test_options_before_any_verb_belong_to_up(directory: Directory) -> None:
    ran = directory.run("-f", "nowhere.yaml")
    assert ran.code == 1
    assert "there is no file nowhere.yaml" in ran.err


def test_help_and_version_need_no_network(directory: Directory) -> None:
    told = directory.run("--help")
    assert told.code == 0
    assert all(f"  {verb} " in told.out for verb in VERBS)
    assert "run-network call" in told.out
    assert directory.run("--version").out.startswith("run-network ")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help(directory: Directory, verb: str) -> None:
    told = directory.run(verb, "--help")
    assert told.code == 0
    assert told.out.startswith(f"Usage: run-network {verb} ")


@pytest.mark.parametrize(
    "words",
    [["status"], ["catalog"], ["requests"], ["result", "x"], ["cancel", "x"], ["trace", "x"], ["logs"], ["down"]],
)
def test_with_no_network_running_verbs_say_so_and_exit_4(hotel: Directory, words: list[str]) -> None:
    ran = hotel.run(*words)
    assert ran.code == 4
    assert ran.err.startswith("error[not-running]: ")
    assert hotel.run(*words, "-v").code == 4


def test_a_state_that_no_task_can_be_in_is_refused_with_those_it_can(hotel: Directory) -> None:
    ran = hotel.run("requests", "--state", "banana")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(
        "error[usage]: --state: `banana` is none of `pending`, `queued`, `held`, `running`, `dead`"
    )
    assert hotel.run("requests", "--state", "Held").code == 4


def test_init_writes_a_network_that_is_valid_and_overwrites_nothing(directory: Directory) -> None:
    assert directory.run("init", "My Shop").code == 0
    made = Directory(directory.path / "My Shop")
    assert made.run("validate", "--import").out.startswith("network.yaml is valid: my-shop, 2 ensembles")
    made.write("network.yaml", "mine")
    again = directory.run("init", "My Shop")
    assert again.code == 1
    assert "is there already" in again.err
    assert (made.path / "network.yaml").read_text() == "mine"


def test_init_writes_nothing_where_one_of_its_files_is_there(directory: Directory) -> None:
    directory.write("ensembles/shop.py", "mine")
    assert directory.run("init", ".").code == 1
    assert not (directory.path / "network.yaml").exists()


def test_schemas_are_written_and_their_staleness_noticed(directory: Directory) -> None:
    assert directory.run("schema", "--check").code == 1
    assert directory.run("schema", "--write").code == 0
    assert directory.run("schema", "--check").code == 0
    name = directory.run("schema").out.splitlines()[0]
    printed = directory.run("schema", name)
    assert printed.out == (directory.path / "schemas" / name).read_text()
    (directory.path / "schemas" / name).write_text("{}")
    stale = directory.run("schema", "--check")
    assert stale.code == 1
    assert name in stale.err


def test_every_code_is_explained(directory: Directory) -> None:
    listed = directory.run("explain")
    assert listed.code == 0
    told = directory.run("explain", "unknown-tag")
    assert told.code == 0
    assert told.out.startswith("unknown-tag: ")
    assert "This fails:" in told.out
    assert "This works:" in told.out
    assert directory.run("explain", "unknown-tag", "--json").json["code"] == "unknown-tag"
    assert len(directory.run("explain", "--json").json) == len(listed.out.splitlines())
    typo = directory.run("explain", "unknown-tga")
    assert (typo.code, "did you mean `unknown-tag`?" in typo.err) == (1, True)


@pytest.mark.parametrize(
    ("format", "start"), [("text", "grand-hotel: "), ("mermaid", "flowchart LR"), ("dot", "digraph"), ("svg", "<svg ")]
)
def test_the_graph_needs_only_the_file(hotel: Directory, format: str, start: str) -> None:
    ran = hotel.run("graph", "--format", format)
    assert ran.code == 0
    assert ran.out.startswith(start)
    assert all(name in ran.out for name in ("room-service", "kitchen", "procurement", "logistics"))


@pytest.mark.parametrize("drawn", [["--format", "text"], ["--format", "svg"], ["--json"]])
def test_the_graph_hides_what_references_stand_for(tmp_path: Path, drawn: list[str]) -> None:
    inn = Directory(tmp_path)
    kitchen = 'kitchen: {description: "by ${env:COOK}", tasks: {cook: {share: true, steps: [{template: soup}]}}}'
    inn.write("network.yaml", f"network: inn\nensembles:\n  {kitchen}\n")
    ran = inn.run("graph", *drawn, COOK="s3same-0il")
    assert (ran.code, "s3same" in ran.out, "(hidden)" in ran.out) == (0, False, True)


def test_the_graph_of_an_invalid_file_is_its_diagnostics(shop: Directory) -> None:
    ran = shop.run("graph")
    assert (ran.code, ran.out) == (1, "")
    assert "network.yaml:4:" in ran.err
    assert "error[invalid-network]" in ran.err
    told = shop.run("up", "--json")
    assert told.json["error"]["code"] == "invalid-network"
    assert len(told.json["diagnostics"]) == 1


def test_colour_is_for_terminals_that_want_it(shop: Directory) -> None:
    assert "\x1b[" not in shop.run("validate").out
    assert "\x1b[" in shop.run("validate", FORCE_COLOR="1").out
    assert "\x1b[" not in shop.run("validate", FORCE_COLOR="1", NO_COLOR="1").out


def test_a_reader_that_goes_away_is_no_error(hotel: Directory) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        ran = subprocess.run(
            command("graph"), cwd=hotel.path, env=surroundings(), stdout=stream, stderr=subprocess.PIPE, check=False
        )
    assert ran.stderr == b""


@pytest.mark.parametrize("words", ["graph", "validate --json", "graph nosuch --json", "--help"])
def test_a_full_disk_behind_stdout_is_the_users_to_mend(hotel: Directory, words: str) -> None:
    ran = in_shell(hotel, f"$RUN {words} > /dev/full")
    assert ran.code == 1
    assert ran.err.startswith("error[usage]: ")
    assert "No space left on device" in ran.err


def test_a_closed_stdout_is_the_users_to_mend(hotel: Directory) -> None:
    ran = in_shell(hotel, "$RUN graph >&-")
    assert (ran.code, ran.err) == (1, "error[usage]: cannot write to stdout: it is closed\n")
    assert in_shell(hotel, "$RUN validate nosuch 2>&-").code == 1
    assert in_shell(hotel, "$RUN validate nosuch 2> /dev/full").code == 1


def test_a_state_directory_that_is_none_is_the_users_to_mend(hotel: Directory) -> None:
    hotel.write(".run-network", "a file")
    for words in (["up"], ["up", "-d"], ["call", "a/b"], ["status"], ["down"]):
        ran = hotel.run(*words)
        assert ran.code == 1
        assert ran.err.startswith(f"error[usage]: {hotel.path / '.run-network'} is not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_the_right_to_write_is_the_users_to_mend(hotel: Directory) -> None:
    hotel.path.chmod(0o500)
    try:
        for words in (["up"], ["up", "-d"], ["call", "a/b"], ["schema", "--write"], ["init", "x"]):
            ran = hotel.run(*words)
            assert (ran.code, ran.err[:13]) == (1, "error[usage]:"), ran.err
    finally:
        hotel.path.chmod(0o700)


@pytest.mark.parametrize("words", [["init", "taken/x"], ["schema", "--write", "--directory", "taken/x"]])
def test_what_cannot_be_written_is_said(directory: Directory, words: list[str]) -> None:
    directory.write("taken", "a file")
    ran = directory.run(*words)
    assert ran.code == 1
    assert ran.err.startswith("error[usage]: cannot write taken/x/")


@pytest.mark.parametrize("verb", ["up", "call", "status", "graph", "down", "logs", "validate"])
def test_a_directory_or_nothing_in_place_of_the_file_is_said(directory: Directory, verb: str) -> None:
    (directory.path / "folder").mkdir()
    target = ["a/b"] if verb == "call" else []
    for file in ("folder", "nosuch.yaml"):
        ran = directory.run(verb, *target, "-f", file)
        assert ran.code == 1
        assert file in ran.out + ran.err
        assert "bug" not in ran.err


@pytest.mark.parametrize("id", ["../x", "a/b/c", "x y", "_cli/", "*"])
@pytest.mark.parametrize("verb", ["result", "cancel", "trace"])
def test_an_id_of_a_wrong_form_is_named_whole(hotel: Directory, verb: str, id: str) -> None:
    ran = hotel.run(verb, "--", id)
    assert ran.code == 1
    assert ran.err.startswith(f"error[usage]: `{id}` is no request ")


@pytest.mark.parametrize(
    ("given", "told"), [("[" * 100_000, "nested too deeply"), ("NaN", "is not JSON"), ("[1", "is not JSON")]
)
def test_input_that_is_no_json_is_said(hotel: Directory, given: str, told: str) -> None:
    ran = hotel.run("call", "a/b", "--input", "-", stdin=given)
    assert ran.code == 1
    assert ran.err.startswith("error[usage]: - is ") or ran.err.startswith("error[usage]: - is not")
    assert told in ran.err


def test_text_that_no_message_can_carry_is_a_usage_error(hotel: Directory) -> None:
    ran = hotel.run("call", "kitchen/check-inventory", "--input", "-", stdin='"\\ud800"')
    assert ran.code == 1
    assert "error[usage]: " in ran.err


def test_an_asynchronous_call_needs_a_network_that_stays(hotel: Directory) -> None:
    ran = hotel.run("call", "kitchen/prepare-meal", "x", "--mode", "async")
    assert ran.code == 1
    assert "error[usage]: --mode async needs a network that stays up" in ran.err
    assert not (hotel.path / ".run-network").exists()


def test_every_verb_takes_a_file(directory: Directory) -> None:
    assert directory.run("explain", "-f", "x.yaml", "usage").code == 0
    assert directory.run("schema", "-f", "x.yaml").code == 0
    told = directory.run("init", "-f", "x.yaml", "my $shop")
    assert told.code == 0
    assert "  cd 'my $shop'\n" in told.err


def test_commands_in_hints_name_the_file_that_was_meant(hotel: Directory) -> None:
    (hotel.path / "network.yaml").rename(hotel.path / "my hotel.yaml")
    ran = hotel.run("status", "-f", "my hotel.yaml")
    assert "`run-network up -f 'my hotel.yaml'`" in ran.err
    assert (
        hotel.run("status", "--json", "--file=my hotel.yaml")
        .json["error"]["hint"]
        .startswith("start it with `run-network up -f 'my hotel.yaml'`")
    )


def test_the_problems_of_a_file_are_not_announced_again(shop: Directory) -> None:
    assert "hint: run `run-network validate`" not in shop.run("graph").err
    assert shop.run("graph", "--json").json["error"]["hint"] is None


def test_the_graph_is_data_too(hotel: Directory) -> None:
    told = hotel.run("graph", "--json").json
    assert told["network"] == "grand-hotel"
    kitchen = next(e for e in told["ensembles"] if e["name"] == "kitchen")
    assert {"name": "check-inventory", "type": "TOOL", "tags": ["food", "stock"]} in kitchen["capabilities"]
    assert {
        "ensemble": "kitchen", "use": "deliver", "kind": "static", "provider": "logistics", "capability": "deliver",
        "tags": [],
    } in told["wiring"]  # fmt: skip


def test_json_holds_nothing_that_moves_a_terminal(directory: Directory) -> None:
    directory.write("network.yaml", "network: \u009b2J\n")
    ran = directory.run("validate", "-f", "\x1b[2J\u009b.yaml", "--json")
    assert ran.code == 1
    assert "\x1b" not in ran.out + ran.err
    assert "\x9b" not in ran.out + ran.err


def test_a_bug_is_told_with_its_log_and_without_a_traceback(directory: Directory) -> None:
    broken = "import runner.cli.verbs.graph as verb\nverb.workspace_of = lambda file: 1 / 0\n"
    script = f"{broken}import sys\nfrom runner.cli.app import run\nsys.exit(run(['graph', *sys.argv[1:]]))\n"
    directory.write("broken.py", script)

    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command()[0], "broken.py", *words],
            cwd=directory.path,
            env=surroundings(TMPDIR=str(directory.path)),
            capture_output=True,
            text=True,
            check=False,
        )

    quiet = ran()
    assert quiet.returncode == 3
    assert quiet.stderr.startswith("error[bug]: ")
    assert "Traceback" not in quiet.stderr
    (log,) = directory.path.glob("run-network-*.log")
    assert str(log) in quiet.stderr
    assert "ZeroDivisionError" in log.read_text()
    assert "Traceback" in ran("-v").stderr


@pytest.mark.parametrize("verb", ["validate", "status", "up"])
def test_ctrl_c_while_a_verb_is_still_being_imported_ends_it_without_a_word(directory: Directory, verb: str) -> None:
    directory.write("typer.py", "import pathlib, time\n\npathlib.Path('begun').touch()\ntime.sleep(600)\n")
    process = directory.start(verb)
    eventually((directory.path / "begun").exists, "the command imports its parser")
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "", "")


def test_who_ignores_ctrl_c_is_not_ended_by_it(directory: Directory) -> None:
    directory.write("typer.py", "import os, signal\n\nos.kill(os.getpid(), signal.SIGINT)\nraise SystemExit(7)\n")
    ran = in_shell(directory, "trap '' INT; $RUN validate")
    assert (ran.code, ran.out, ran.err) == (7, "", "")
