"""Files that are meant to hurt are refused at once, in little memory."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import pytest

from runner.workspace import MAX_FILE_BYTES
from tests.support.sources import codes, read

_LETTERS = "abcdefghi"


def _alias_bomb() -> str:
    lines = [f"x-a: &a [{', '.join('x' * 10)}]"]
    lines += [f"x-{name}: &{name} [{', '.join([f'*{below}'] * 10)}]" for below, name in itertools.pairwise(_LETTERS)]
    return "\n".join(lines) + "\n"


def _merge_bomb() -> str:
    lines = ["a: &a {x: 1}"]
    lines += [
        f"{name}: &{name} {{<<: [{', '.join([f'*{below}'] * 10)}]}}" for below, name in itertools.pairwise(_LETTERS)
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(_alias_bomb(), "too-large", id="alias bomb"),
        pytest.param(_merge_bomb(), "too-large", id="merge bomb"),
        pytest.param("network: " + "[" * 3000 + "]" * 3000, "too-deep", id="depth in flow style"),
        pytest.param("network: " + "[" * 3_000_000, "too-deep", id="depth without end"),
        pytest.param("- " * 3000 + "x", "too-deep", id="depth in block style"),
        pytest.param("a:\n" + "".join(" " * n + "a:\n" for n in range(1, 3000)), "too-deep", id="depth in mappings"),
        pytest.param("network: &a [*a]", "recursive-alias", id="self-alias"),
        pytest.param("network: " + "9" * 5000, "number-out-of-range", id="5,000 digits"),
        pytest.param("network: 0x" + "f" * 5000, "number-out-of-range", id="5,000 hexadecimal digits"),
        pytest.param("#" * (MAX_FILE_BYTES + 1), "too-large", id="more than 16 MB"),
        pytest.param("# x\n" * (50 * 1024 * 1024 // 4), "too-large", id="50 MB"),
    ],
)
def test_it_is_refused_in_under_a_second(text: str, code: str) -> None:
    data = text.encode()
    started = time.process_time()
    reading = read(data)
    assert time.process_time() - started < 1
    assert code in codes(reading)
    assert reading.network is None


def test_a_bomb_takes_little_memory() -> None:
    data = _alias_bomb().encode()
    tracemalloc.start()
    read(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 1024 * 1024


def test_a_file_full_of_mistakes_is_read_in_linear_time() -> None:
    def seconds(ensembles: int) -> float:
        wrong = "".join(f"  e{n}:\n    uses: {{a: e{n}x/b, c: {{too: d}}}}\n    sla: 5\n" for n in range(ensembles))
        started = time.process_time()
        assert read(f"network: n\nensembles:\n{wrong}").network is None
        return time.process_time() - started

    seconds(10)
    assert seconds(4000) < 3 * 4 * max(seconds(1000), 0.1)
