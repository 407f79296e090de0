"""Whatever is wrong with the YAML itself is told, with its place."""

from __future__ import annotations

from tests.support.sources import said


def test_an_empty_file() -> None:
    network = """\

"""
    assert (
        said(network)
        == """\
network.yaml:1:1: error[empty-file]: `network.yaml` is empty
""".rstrip()
    )


def test_only_comments() -> None:
    network = """\
# nothing
"""
    assert (
        said(network)
        == """\
network.yaml:1:1: error[empty-file]: `network.yaml` is empty
""".rstrip()
    )


def test_a_list_at_the_root() -> None:
    network = """\
- network: n
"""
    assert (
        said(network)
        == """\
network.yaml:1:1: error[not-a-mapping]: `network.yaml` holds a list where a mapping belongs
  hint: write `key: value` lines
""".rstrip()
    )


def test_a_text_at_the_root() -> None:
    network = """\
network
"""
    assert (
        said(network)
        == """\
network.yaml:1:1: error[not-a-mapping]: `network.yaml` holds a single value where a mapping belongs
  hint: write `key: value` lines
""".rstrip()
    )


def test_duplicate_keys() -> None:
    network = """\
network: n
network: m
ensembles:
  a: {description: x, "description": y}
  a: {}
"""
    assert (
        said(network)
        == """\
network.yaml:2:1: error[duplicate-key]: the key `network` stands here a second time; the first is on line 1
  hint: keep one of the two
network.yaml:4:23: error[duplicate-key]: the key `description` stands here a second time; the first is on line 4
  hint: keep one of the two
network.yaml:5:3: error[duplicate-key]: the key `a` stands here a second time; the first is on line 4
  hint: keep one of the two
""".rstrip()
    )


def test_an_unknown_tag() -> None:
    network = """\
network: !!python/object/apply:os.system ["true"]
ensembles: {a: !secret {}}
"""
    assert (
        said(network)
        == """\
network.yaml:1:10: error[unknown-yaml-tag]: the YAML tag `!!python/object/apply:os.system` means nothing here
  hint: leave the tag out
network.yaml:2:16: error[unknown-yaml-tag]: the YAML tag `!secret` means nothing here
  hint: leave the tag out
""".rstrip()
    )


def test_several_documents() -> None:
    network = """\
network: n
---
network: m
"""
    assert (
        said(network)
        == """\
network.yaml:2:1: error[several-documents]: a second document starts here
  hint: keep one document in a file, without `---` between parts
""".rstrip()
    )


def test_a_byte_order_mark() -> None:
    network = """\
\ufeffnetwork: n
ensembles: {a: {}}
"""
    assert (
        said(network)
        == """\
network.yaml:1:1: error[byte-order-mark]: the file starts with a byte order mark
  hint: save it as UTF-8 without a byte order mark
""".rstrip()
    )


def test_a_nul() -> None:
    network = """\
network: n\0
"""
    assert (
        said(network)
        == """\
network.yaml:1:11: error[control-character]: the control character U+0000 is not allowed in YAML
  hint: delete it, or write it as an escape in double quotes, such as "\\0"
""".rstrip()
    )


def test_a_tab() -> None:
    network = """\
network: n
ensembles:
\ta: {}
"""
    assert (
        said(network)
        == """\
network.yaml:3:1: error[tab-indentation]: a tab cannot indent YAML
  hint: indent with spaces
""".rstrip()
    )


def test_a_huge_number() -> None:
    network = """\
network: n
ensembles: {a: {replicas: 99999999999999999999999999999999999999999999999999, description: .inf, domain: 1e999}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:27: error[number-out-of-range]: the number `999999999999…` is not finite, or does not fit in 64 bits
  hint: write it in quotes if it is meant as text
network.yaml:2:92: error[number-out-of-range]: the number `.inf` is not finite, or does not fit in 64 bits
  hint: write it in quotes if it is meant as text
network.yaml:2:106: error[number-out-of-range]: the number `1e999` is not finite, or does not fit in 64 bits
  hint: write it in quotes if it is meant as text
""".rstrip()
    )


def test_an_unclosed_bracket() -> None:
    network = """\
network: n
ensembles: {a: [
"""
    assert (
        said(network)
        == """\
network.yaml:3:1: error[invalid-yaml]: while parsing a flow node, did not find expected node content
""".rstrip()
    )


def test_an_alias_within_itself() -> None:
    network = """\
network: n
ensembles: &a {b: *a}
"""
    assert (
        said(network)
        == """\
network.yaml:2:19: error[recursive-alias]: the alias `*a` stands inside what it repeats
  hint: an alias can only repeat what is complete before it
""".rstrip()
    )


def test_an_alias_of_nothing() -> None:
    network = """\
network: n
ensembles: {a: *b}
"""
    assert (
        said(network)
        == """\
network.yaml:2:16: error[unknown-anchor]: no anchor `&b` stands above this alias
""".rstrip()
    )


def test_a_merge_key_is_no_key() -> None:
    network = """\
network: n
ensembles: {a: &a {description: x}, b: {<<: *a}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:41: error[unknown-key]: there is no key `<<` here
  hint: YAML 1.2 has no merge keys: repeat a whole value with an alias, or write the keys out
""".rstrip()
    )


def test_keys_that_are_no_text() -> None:
    network = """\
network: n
? [a]
: 1
? {b: c}
: 2
ensembles: {a: {}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:3: error[invalid-key]: a key must be plain text
network.yaml:4:3: error[invalid-key]: a key must be plain text
""".rstrip()
    )


def test_words_of_older_yaml_are_text() -> None:
    network = """\
network: on
ensembles: {no: {description: yes}, yes: {description: 2024-01-01}}
"""
    assert said(network) == ""


def test_bytes_that_are_no_utf8() -> None:
    files = {
        "network.yaml": b"network: n\nensembles: {caf\xe9: {}}\n",
    }
    assert (
        said(files)
        == """\
network.yaml:2:16: error[not-utf8]: the byte 0xE9 is not UTF-8
  hint: save the file as UTF-8
""".rstrip()
    )


def test_utf_16() -> None:
    files = {
        "network.yaml": b"\xff\xfen\x00e\x00t\x00w\x00o\x00r\x00k\x00:\x00 \x00n\x00\n\x00",
    }
    assert (
        said(files)
        == """\
network.yaml:1:1: error[not-utf8]: the file is UTF-16, not UTF-8
  hint: save the file as UTF-8
""".rstrip()
    )
