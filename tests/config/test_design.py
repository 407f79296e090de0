"""The YAML of the design page is read whole; what does not exist yet is all there is to say of it."""

from __future__ import annotations

from runner.config.reading import read_network, read_network_name
from runner.diagnostics import Severity
from tests.config.design import FILES, KITCHEN, NETWORK
from tests.support.sources import MemorySource, codes, printed, read


def _without_guards() -> dict[str, str]:
    """The same files without what would loosen a guard if it were ignored."""
    guards = ("roles:", "clients:")
    network = "\n".join(line for line in NETWORK.split("\n") if not line.startswith(guards))
    kitchen = "\n".join(line for line in KITCHEN.split("\n") if "review:" not in line)
    return {**FILES, "network.yaml": network, "ensembles/kitchen.yaml": kitchen}


def test_not_yet_supported_is_the_only_code() -> None:
    assert codes(read(FILES)) == ["not-yet-supported"]


def test_what_would_loosen_a_guard_is_an_error_and_all_else_a_warning() -> None:
    errors = [d for d in read(FILES).diagnostics if d.severity is Severity.ERROR]
    hint = "  hint: take it out; running without it would loosen a guard"
    assert printed(errors).split("\n") == [
        "network.yaml:17:9: error[not-yet-supported]: the role `chef` is not supported yet",
        hint,
        "network.yaml:18:11: error[not-yet-supported]: the client `erp-bridge` is not supported yet",
        hint,
        "ensembles/kitchen.yaml:26:10: error[not-yet-supported]: a `review` step is not supported yet",
        hint,
    ]
    assert read(_without_guards()).network is not None


def test_every_later_feature_is_named() -> None:
    said = [d.message.removesuffix(" is not supported yet") for d in read(_without_guards()).diagnostics]
    assert said == [
        "the profile `weekend`",
        "`retry`",
        "`circuit_breaker`",
        "`stock-check` in `schedules`",
        "`pantry` in `memory`",
    ]


def test_a_cloud_model_that_is_switched_on_is_a_later_feature() -> None:
    reading = read(_without_guards(), {"LLM_BASE_URL": "https://models.example"})
    assert any(d.message == "the model provider `openai` is not supported yet" for d in reading.diagnostics)


def test_the_name_alone_is_read_whatever_else_is_wrong() -> None:
    source = MemorySource({"network.yaml": "ensembles: 5\nnetwork: ${env:NAME:-hotel}\nnonsense: {}\n"})
    assert read_network_name(source, "network.yaml", {}) == "hotel"
    assert read_network_name(source, "network.yaml", {"NAME": "inn"}) == "inn"


def test_sources_hold_the_text_of_every_file_read_and_no_secret() -> None:
    source = MemorySource(
        {"network.yaml": "network: n\nensembles: {a: a.yaml}\n", "a.yaml": "domain: ${file:s}\n", "s": "x"}
    )
    reading = read_network(source, "network.yaml", {})
    assert dict(reading.sources) == {
        "network.yaml": "network: n\nensembles: {a: a.yaml}\n",
        "a.yaml": "domain: ${file:s}\n",
    }
    assert reading.network is not None
    assert reading.network.ensembles["a"].domain == "x"
