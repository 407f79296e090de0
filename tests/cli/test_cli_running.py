"""Verbs against a network that is up, as processes: the sample, over a real nats-server."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess

import pytest

from tests.support.terminal import Directory, Ran, ended, eventually, read_until

ORDER = "Wagyu steak, medium-rare, room 403"
SLOW = """\
network: slow
ensembles:
  desk:
    tools: {wait: {python: "slow:wait", share: true}}
    tasks:
      work: {share: true, steps: [{tool: wait}]}
      quick: {share: true, steps: [{template: "{{ context }}!"}]}
      staged: {share: true, steps: [{id: first, template: "began"}, {tool: wait}]}
      break: {share: true, steps: [{python: "slow:fail"}]}
      shape: {share: true, steps: [{template: {said: "{{ context }}"}}]}
  idle: {}
"""
SLOW_PYTHON = """\
import pathlib, time, runner

HERE = pathlib.Path(__file__).parent

def wait(text: str, context: runner.Context) -> str:
    context.progress("waiting", 50)
    (HERE / "begun").touch()
    for _ in range(15_000):
        if (HERE / "go").exists():
            return "waited"
        time.sleep(0.02)
    return "gave up"

def fail(text: str) -> str:
    raise ValueError("the oven is cold")
"""


@pytest.fixture
def slow(directory: Directory) -> Directory:
    directory.write("network.yaml", SLOW)
    directory.write("slow.py", SLOW_PYTHON)
    return directory


def test_a_call_prints_the_result_alone_on_stdout(open_hotel: Directory) -> None:
    ran = open_hotel.run("call", "room-service/handle-guest-request", ORDER)
    assert ran.code == 0
    assert "Wagyu steak" in ran.out
    assert "403" in ran.out
    assert "ticket" in ran.out
    assert ran.err.startswith("accepted by room-service: position ")


def test_a_call_without_a_provider_is_discovered(open_hotel: Directory) -> None:
    ran = open_hotel.run("call", "check-inventory", "wagyu beef")
    assert (ran.code, "wagyu beef" in ran.out, ran.err) == (0, True, "")
    tagged = open_hotel.run("call", "check-inventory", "wagyu beef", "--tag", "stock")
    assert (tagged.code, tagged.out) == (0, ran.out)
    assert open_hotel.run("call", "check-inventory", "-", stdin="wagyu beef").out == ran.out


def test_the_examples_in_the_help_of_call_work_with_the_sample(open_hotel: Directory) -> None:
    lines = [line.strip() for line in open_hotel.run("call", "--help").out.splitlines()]
    examples = [re.split(r"\s{2,}", line)[0] for line in lines if line.startswith("run-network call ")]
    assert len(examples) == 4
    for example in examples:
        ran = open_hotel.run(*shlex.split(example)[1:])
        assert ran.code == 0, ran.err


def test_a_call_of_what_nobody_offers_fails_with_a_code_and_a_hint(open_hotel: Directory) -> None:
    ran = open_hotel.run("call", "kitchen/prepare-meel", "x")
    assert (ran.code, ran.out) == (1, "")
    assert "error[UNKNOWN_CAPABILITY]" in ran.err
    assert "hint: " in ran.err


def test_a_limit_is_a_rejection_and_the_response_is_still_printed(open_hotel: Directory) -> None:
    ran = open_hotel.run("call", "kitchen/prepare-meal", "x", "--authority", "human_required", "--json")
    assert ran.code == 1
    assert ran.json["status"] == "REJECTED"
    assert ran.json["error"]["code"] == "AUTHORITY_EXCEEDED"


def test_a_request_is_followed_from_its_id(open_hotel: Directory) -> None:
    accepted = open_hotel.run(
        "call", "room-service/handle-guest-request", ORDER, "--mode", "async", "--request-id", "order-1", "--json"
    )
    assert accepted.code == 0
    assert accepted.json["type"] == "task_accepted"
    result = open_hotel.run("result", "order-1", "--json").json
    assert (result["requestId"], result["status"]) == ("order-1", "COMPLETED")
    assert open_hotel.run("result", "_cli/order-1").out == result["result"] + "\n"
    again = open_hotel.run("call", "room-service/handle-guest-request", "else", "--request-id", "order-1", "--json")
    assert again.json["result"] == result["result"], "a repeat returns the same outcome"


def test_a_trace_shows_every_hop_under_one_id(open_hotel: Directory) -> None:
    open_hotel.run("call", "room-service/handle-guest-request", ORDER, "--request-id", "traced")

    def complete() -> bool:
        spans = open_hotel.run("trace", "traced", "--json").json["spans"]
        return {"room-service", "kitchen", "logistics"} <= {span["ensemble"] for span in spans}

    eventually(complete, "a trace over three ensembles")
    told = open_hotel.run("trace", "traced", "--json").json
    assert told["spans"][0].keys() >= {"spanId", "parentId", "name", "ensemble", "start", "durationMs", "status"}
    drawn = open_hotel.run("trace", told["traceId"]).out
    assert drawn.startswith(f"trace {told['traceId']}: ")
    assert "  kitchen/prepare-meal" in drawn
    assert "█" in drawn


def test_status_lists_every_ensemble(open_hotel: Directory) -> None:
    told = open_hotel.run("status", "--json").json
    assert told["network"] == "grand-hotel"
    assert {e["name"]: e["state"] for e in told["ensembles"]}.keys() == {
        "room-service", "front-desk", "kitchen", "maintenance", "procurement", "logistics"
    }  # fmt: skip
    assert all(e["queued"].keys() == {"critical", "high", "normal", "low"} for e in told["ensembles"])
    assert "kitchen" in open_hotel.run("status").out


def test_the_catalog_filters_by_every_tag(open_hotel: Directory) -> None:
    found = open_hotel.run("catalog", "--tag", "food", "--tag", "stock", "--json").json
    assert [(e["provider"], e["name"], e["type"]) for e in found] == [("kitchen", "check-inventory", "TOOL")]
    assert "kitchen/check-inventory" in open_hotel.run("catalog").out


def test_logs_are_lines(open_hotel: Directory) -> None:
    open_hotel.run("call", "room-service/handle-guest-request", ORDER, "--request-id", "logged")
    eventually(lambda: "completed" in open_hotel.run("logs", "--request", "logged").out, "the event of completion")
    told = [json.loads(line) for line in open_hotel.run("logs", "--request", "logged", "--json").out.splitlines()]
    assert {event["requestId"] for event in told} == {"logged"}
    assert told[0]["ensemble"] == "room-service"
    named = open_hotel.run("logs", "-f", "network.yaml", "--request", "logged")
    assert named.out.count("\n") == len(told), "-f with a file names the file, and does not follow"


def test_logs_know_the_ensembles_and_the_form_of_ids(open_hotel: Directory) -> None:
    ran = open_hotel.run("logs", "--ensemble", "kitchn")
    assert ran.code == 1
    assert ran.err == "error[usage]: --ensemble: there is no ensemble `kitchn`\nhint: did you mean `kitchen`?\n"
    assert open_hotel.run("logs", "--request", "../x").code == 1
    assert open_hotel.run("logs", "--ensemble", "spa").code == 1


def test_logs_are_in_the_order_of_what_happened(open_hotel: Directory) -> None:
    open_hotel.run("call", "room-service/handle-guest-request", ORDER, "--request-id", "ordered")
    eventually(lambda: "completed" in open_hotel.run("logs", "--request", "ordered").out, "the event of completion")
    lines = open_hotel.run("logs").out.splitlines()
    assert [line[:12] for line in lines] == sorted(line[:12] for line in lines)
    mine = open_hotel.run("logs", "--request", "_cli/ordered").out
    assert mine == open_hotel.run("logs", "--request", "ordered").out
    assert open_hotel.run("logs", "--request", "kitchen/ordered").out == ""


def test_logs_that_follow_print_what_was_kept_first(open_hotel: Directory) -> None:
    open_hotel.run("call", "room-service/handle-guest-request", ORDER, "--request-id", "kept")
    eventually(lambda: "completed" in open_hotel.run("logs", "--request", "kept").out, "the event of completion")
    following = open_hotel.start("logs", "-f")
    try:
        read_until(following, "kept")
        open_hotel.run("call", "room-service/handle-guest-request", ORDER, "--request-id", "after")
        read_until(following, "after")
    finally:
        following.send_signal(signal.SIGINT)
        assert ended(following)[0] == 130


def test_one_line_break_at_the_end_of_stdin_is_not_meant(slow: Directory) -> None:
    assert slow.run("call", "desk/quick", "-", stdin="hello\n").out == "hello!\n"
    assert slow.run("call", "desk/quick", "-", stdin="hello\n\n").out == "hello\n!\n"


def test_an_asynchronous_repeat_of_what_is_done_prints_its_outcome(open_hotel: Directory) -> None:
    words = ("call", "room-service/handle-guest-request", ORDER, "--request-id", "twice")
    first = open_hotel.run(*words)
    again = open_hotel.run(*words, "--mode", "async")
    assert (again.code, again.out) == (0, first.out)


def test_an_asynchronous_call_that_nobody_claims_yet_tells_where_it_stands(slow: Directory) -> None:
    process = slow.start("up", "--except", "desk")
    try:
        read_until(process, "ready in")
        ran = slow.run("call", "desk/work", "x", "--mode", "async", "--request-id", "w9")
        assert ran.code == 0
        assert (ran.json["requestId"], ran.json["status"]) == ("w9", "PENDING")
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_a_second_up_in_the_directory_is_refused(open_hotel: Directory) -> None:
    ran = open_hotel.run("up")
    assert ran.code == 1
    assert "error[already-running]" in ran.err


def test_a_call_with_no_network_running_brings_one_up_for_itself(slow: Directory) -> None:
    ran = slow.run("call", "desk/quick", "hello")
    assert (ran.code, ran.out) == (0, "hello!\n")
    assert ran.err.startswith("no network is running here: bringing it up for this call")
    assert slow.run("status").code == 4


def test_structures_are_json_and_input_may_be(slow: Directory) -> None:
    ran = slow.run("call", "desk/shape", "--input", "-", stdin='{"room": 403}')
    assert json.loads(ran.out) == {"said": {"room": 403}}
    assert "is not JSON" in slow.run("call", "desk/shape", "--input", "-", stdin="{").err


def test_what_is_large_goes_and_comes_like_anything_else(slow: Directory) -> None:
    text = "hello " * 100_000
    slow.write("long.txt", text)
    slow.write("long.json", json.dumps({"room": text}))
    slow.write("broken.json", "{")
    process = slow.start("up", "--no-http", "--no-watch")
    try:
        read_until(process, "ready in")
        assert slow.run("call", "desk/quick", "-", stdin=text).out == f"{text}!\n"
        assert json.loads(slow.run("call", "desk/shape", "--input", "long.json").out) == {"said": {"room": text}}
        assert slow.run("call", "desk/quick", "--document", "long.txt").out == f"{text}!\n"
        assert json.loads(slow.run("call", "desk/shape", "--document", "long.json").out) == {"said": {"room": text}}
        assert "is no JSON" in slow.run("call", "desk/quick", "--document", "broken.json").err
        assert "cannot read none.txt" in slow.run("call", "desk/quick", "--document", "none.txt").err
        assert "--document stands alone" in slow.run("call", "desk/quick", "x", "--document", "long.txt").err
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_who_gives_up_waiting_is_led_to_the_result_only_where_one_is_kept(slow: Directory) -> None:
    process = started(slow)
    try:
        ran = slow.run("call", "desk/wait", "x", "--timeout", "500ms")
        assert ran.code == 5
        assert "the answer of a tool is not kept" in ran.err
        slow.run("call", "desk/work", "x", "--mode", "async", "--request-id", "w9")
        ran = slow.run("call", "desk/work", "x", "--request-id", "w9", "--timeout", "100ms")
        assert ran.code == 5
        assert "`run-network result w9` takes it up again" in ran.err
        (slow.path / "go").touch()
        assert slow.run("result", "w9", "--timeout", "60s").code == 0
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_a_handler_that_raises_tells_its_message_and_logs_the_traceback(slow: Directory) -> None:
    ran = slow.run("call", "desk/break", "x")
    assert ran.code == 1
    assert "the oven is cold" in ran.err
    assert "Traceback" not in ran.err
    assert "Traceback" in (slow.path / ".run-network" / "runner.log").read_text()


def started(here: Directory) -> subprocess.Popen[str]:
    process = here.start("up")
    read_until(process, "ready in")
    return process


def test_pending_results_exit_5_and_ctrl_c_drains(slow: Directory) -> None:
    process = started(slow)
    slow.run("call", "desk/work", "x", "--mode", "async", "--request-id", "w1")
    eventually((slow.path / "begun").exists, "the work has begun")
    pending = slow.run("result", "w1", "--no-wait", "--json")
    assert (pending.code, pending.json["requestId"], pending.json["status"]) == (5, "w1", "PENDING")
    assert slow.run("result", "w1", "--timeout", "100ms").code == 5
    waiting = slow.run("call", "desk/work", "x", "--request-id", "w1", "--timeout", "100ms")
    assert (waiting.code, waiting.json["state"]) == (5, "RUNNING")
    assert slow.run("call", "desk/work", "x", "--request-id", "w1", "--timeout", "0s").code == 5
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "Ctrl-C again forces" in process.stderr.readline()
    (slow.path / "go").touch()
    code, out, _ = ended(process)
    assert code == 130
    assert "STOPPED" in out
    assert "COMPLETED" in out, "what was being worked on was finished"


def test_a_second_ctrl_c_forces_and_the_next_start_works_the_task_off(slow: Directory) -> None:
    process = started(slow)
    slow.run("call", "desk/work", "x", "--mode", "async", "--request-id", "w2")
    eventually((slow.path / "begun").exists, "the work has begun")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    code, _, _ = ended(process)
    assert code == 130
    (slow.path / "go").touch()
    again = started(slow)
    try:
        assert slow.run("result", "w2", "--timeout", "60s").out == "waited\n"
    finally:
        again.send_signal(signal.SIGTERM)
        assert ended(again)[0] == 0


def test_a_request_can_be_cancelled(slow: Directory) -> None:
    process = started(slow)
    try:
        slow.run("call", "desk/work", "x", "--mode", "async", "--request-id", "w3")
        eventually((slow.path / "begun").exists, "the work has begun")
        assert slow.run("cancel", "w3").code == 0
        outcome = slow.run("result", "w3", "--json")
        assert (outcome.code, outcome.json["status"]) == (1, "CANCELLED")
    finally:
        (slow.path / "go").touch()
        process.send_signal(signal.SIGTERM)
        ended(process)


NARROW = SLOW.replace("  desk:\n", "  desk:\n    capacity: {max_concurrent: 1}\n").replace("  idle: {}\n", "")


@pytest.fixture
def narrow(slow: Directory) -> Directory:
    """Where one task at a time has a slot."""
    slow.write("network.yaml", NARROW)
    return slow


def queued(here: Directory) -> list[str]:
    reports = here.run("requests", "--state", "queued", "--json").json
    return [report["requestId"] for report in reports]


def submitted(here: Directory, *names: str, priority: str = "normal") -> None:
    for name in names:
        ran = here.run("call", "desk/work", "x", "--mode", "async", "--request-id", name, "--priority", priority)
        assert ran.code == 0, ran.err


def test_a_waiting_task_is_moved_from_the_command_line(narrow: Directory) -> None:
    process = started(narrow)
    try:
        submitted(narrow, "w1")
        eventually((narrow.path / "begun").exists, "the work has begun")
        submitted(narrow, "w2", "w3", priority="low")
        moved = narrow.run("requests", "--prioritize", "w3", "critical", "--json")
        assert (moved.code, moved.json["priority"], moved.json["previous"]) == (0, "CRITICAL", "LOW")
        again = narrow.run("requests", "--prioritize", "w3", "critical")
        assert (again.code, again.out) == (0, "w3 waits with priority critical already\n")
        assert narrow.run("requests", "--prioritize", "w3", "high").out == (
            "w3 waits with priority high in place of critical\n"
        )
        refused = narrow.run("requests", "--prioritize", "w1", "high")
        assert (refused.code, refused.out) == (1, "")
        assert "error[NOT_WAITING]" in refused.err
        (narrow.path / "go").touch()
        for name in ("w1", "w2", "w3"):
            assert narrow.run("result", name, "--timeout", "60s").out == "waited\n"
    finally:
        (narrow.path / "go").touch()
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_two_runners_are_drained_and_brought_back_from_the_command_line(narrow: Directory) -> None:
    first = started(narrow)
    second = narrow.start("up", "--join")
    try:
        read_until(second, "ready in")
        submitted(narrow, "w1", "w2", "w3")
        eventually(lambda: queued(narrow) == ["w3"], "a task in hand on each, and one that waits")
        draining = narrow.start("drain", "desk", "--json")
        eventually(lambda: desk(narrow)["state"] == "DRAINING", "the drain")
        (narrow.path / "go").touch()
        code, out, _ = ended(draining)
        drained = json.loads(out)
        assert (code, drained["state"], drained["replicas"]) == (0, "STOPPED", 0)
        assert narrow.run("result", "w3", "--no-wait").code == 5
        assert [narrow.run("result", name).out for name in ("w1", "w2")] == ["waited\n"] * 2
        back = narrow.run("drain", "desk", "--resume")
        assert (back.code, back.out.startswith("desk is READY; ")) == (0, True)
        assert narrow.run("result", "w3", "--timeout", "60s").out == "waited\n"
        eventually(lambda: desk(narrow)["replicas"] == 2, "both replicas back")
    finally:
        (narrow.path / "go").touch()
        for process in (second, first):
            process.send_signal(signal.SIGTERM)
            ended(process)


def desk(here: Directory) -> dict[str, object]:
    [found] = [one for one in here.run("status", "--json").json["ensembles"] if one["name"] == "desk"]
    return found


def test_who_keeps_a_drain_waiting_is_named_and_it_fails(narrow: Directory) -> None:
    narrow.write("network.yaml", NARROW.replace("ensembles:", "defaults: {drain_timeout: 500ms}\nensembles:"))
    process = started(narrow)
    try:
        submitted(narrow, "w1")
        eventually((narrow.path / "begun").exists, "the work has begun")
        drained = narrow.run("drain", "desk", "--json")
        assert (drained.code, drained.json["state"]) == (1, "STOPPED")
        assert drained.json["detail"] == "stopped waiting for task work for _cli"
        told = map(json.loads, narrow.run("logs", "--json").out.splitlines())
        steps = [event["status"] for event in told if event["kind"] == "step"]
        assert steps == ["STOPPED"], "nobody cancelled it"
        (narrow.path / "go").touch()
        assert narrow.run("drain", "desk", "--resume").code == 0
        assert narrow.run("result", "w1", "--timeout", "60s").out == "waited\n"
        assert narrow.run("drain", "dsk").err.endswith("hint: did you mean `desk`?\n")
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_lets_what_is_in_hand_end_and_leaves_the_rest_to_the_next(
    narrow: Directory, number: signal.Signals, expected: int
) -> None:
    process = started(narrow)
    submitted(narrow, "w1")
    eventually((narrow.path / "begun").exists, "the work has begun")
    submitted(narrow, "w2", "w3")
    process.send_signal(number)
    read_until(process, "DRAINING")
    (narrow.path / "begun").unlink()
    (narrow.path / "go").touch()
    code, out, _ = ended(process)
    assert (code, "COMPLETED" in out) == (expected, True)
    assert not (narrow.path / "begun").exists(), "what waited has not begun"
    again = started(narrow)
    try:
        for name in ("w1", "w2", "w3"):
            assert narrow.run("result", name, "--timeout", "60s").out == "waited\n"
        attempts = {report["requestId"]: report["attempts"] for report in narrow.run("requests", "--json").json}
        assert attempts == {"w1": 1, "w2": 1, "w3": 1}
    finally:
        again.send_signal(signal.SIGTERM)
        ended(again)


def test_detach_returns_when_all_is_ready_and_down_when_all_has_stopped(slow: Directory) -> None:
    ran = slow.run("up", "--detach")
    try:
        assert ran.code == 0
        assert slow.run("status", "--json").json["ensembles"][0]["state"] == "READY"
    finally:
        down = slow.run("down")
    assert (down.code, down.err) == (0, "stopped\n")
    assert slow.run("status").code == 4


def test_detach_shows_why_it_did_not_come_up(slow: Directory) -> None:
    slow.write("slow.py", "raise RuntimeError('no oven')\ndef wait(text): ...\ndef fail(text): ...\n")
    ran = slow.run("up", "--detach")
    assert ran.code == 1
    assert "no oven" in ran.err
    assert slow.run("status").code == 4


def test_only_and_except_name_ensembles_that_are_there(open_hotel: Directory) -> None:
    ran: Ran = open_hotel.run("up", "--only", "kitchn")
    assert ran.code == 1
    assert "there is no ensemble `kitchn`" in ran.err


def test_logs_follow_what_happens(open_hotel: Directory) -> None:
    following = open_hotel.start("logs", "-f")
    try:
        open_hotel.run("call", "room-service/handle-guest-request", ORDER, "--request-id", "followed")
        read_until(following, "followed")
    finally:
        following.send_signal(signal.SIGINT)
        assert ended(following)[0] == 130


def test_the_network_that_init_writes_runs(directory: Directory) -> None:
    directory.run("init", "small")
    ran = Directory(directory.path / "small").run("call", "shop/order", "2 lamps")
    assert (ran.code, ran.out) == (0, "2 lamps: 60 EUR. In stock: 12 lamps\n")


def test_a_call_delivers_where_it_is_told_and_refuses_what_is_nowhere(slow: Directory) -> None:
    ran = slow.run("call", "desk/quick", "soup", "--delivery", "queue:orders")
    assert (ran.code, ran.out) == (0, "soup!\n")
    untold = slow.run("call", "desk/quick", "soup", "--delivery", "none")
    assert (untold.code, untold.out) == (0, "soup!\n")
    unknown = slow.run("call", "desk/quick", "soup", "--delivery", "bord", "--json")
    assert (unknown.code, unknown.json["error"]["code"]) == (1, "UNKNOWN_DELIVERY")
    later = slow.run("call", "desk/quick", "soup", "--delivery", "webhook:https://erp.example", "--json")
    assert (later.code, "is not supported yet" in later.json["error"]["message"]) == (1, True)


def test_a_call_may_go_on_with_what_was_finished_by_the_deadline(slow: Directory) -> None:
    asked = ("call", "desk/staged", "soup", "--deadline", "1s")
    failed = slow.run(*asked)
    assert (failed.code, failed.out) == (1, "")
    went_on = slow.run(*asked, "--on-deadline", "continue")
    assert (went_on.code, json.loads(went_on.out)) == (0, {"first": "began"})
    assert "going on with what was finished" in went_on.err
    whole = slow.run(*asked, "--on-deadline", "continue", "--json")
    assert (whole.code, whole.json["status"], whole.json["partial"]) == (0, "EXPIRED", {"first": "began"})


def test_a_word_that_is_none_is_the_callers_mistake(slow: Directory) -> None:
    for option in ("--on-deadline", "--on-late-eta", "--on-constrained"):
        ran = slow.run("call", "desk/quick", "soup", option, "fallback")
        assert (ran.code, ran.out) == (1, "")
        assert f"error[usage]: there is no {option[2:].replace('-', '_')} 'fallback'" in ran.err


def test_a_network_whose_state_directory_is_deleted_says_so_and_stops(slow: Directory) -> None:
    process = started(slow)
    try:
        shutil.rmtree(slow.path / ".run-network", ignore_errors=True)
        code, _, err = ended(process)
        assert code == 0
        assert ".run-network was deleted: stopping; what its store held is lost" in err
    finally:
        if process.poll() is None:
            process.kill()
    again = started(slow)
    try:
        assert slow.run("call", "desk/quick", "x").out == "x!\n"
    finally:
        again.send_signal(signal.SIGTERM)
        ended(again)
