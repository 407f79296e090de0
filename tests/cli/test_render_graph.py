"""Graphs: the picture as text, whole; the layered layout's laws; the SVG as XML that holds what it shows."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from runner.cli.render.graph.document import document
from runner.cli.render.graph.dot import dot
from runner.cli.render.graph.layout import layered
from runner.cli.render.graph.mermaid import mermaid
from runner.cli.render.graph.picture import Picture, as_it_runs, picture
from runner.cli.render.graph.placement import Size, placed, shelved
from runner.cli.render.graph.svg import svg
from runner.cli.render.graph.text import text
from runner.model import Discovery, Ensemble, Network, PythonTarget, Share, StaticTarget, Tool, Use
from runner.why import CandidateReport, WhyReport
from runner.work import Authority

SVG = "{http://www.w3.org/2000/svg}"


def ensemble(name: str, tool: str, *uses: Use, description: str | None = None) -> Ensemble:
    share = Share(("stock",), Authority.AUTONOMOUS)
    return Ensemble(
        name,
        description=description,
        tools={tool: Tool(tool, PythonTarget("m.py", "f"), share=share)},
        uses={use.name: use for use in uses},
    )


HOTEL = Network(
    "hotel",
    {
        e.name: e
        for e in (
            ensemble("bar", "pour", Use("food", StaticTarget("kitchen", "cook")), description='<b>"Drinks" & more'),
            ensemble("kitchen", "cook", Use("goods", Discovery(None, ("stock",))), Use("moon", Discovery("fly", ()))),
        )
    },
)


def test_a_fallback_is_a_line_of_its_own() -> None:
    food = Use("food", Discovery("cook", ()), fallback=StaticTarget("kitchen", "cook"))
    drawn = picture(Network("inn", {e.name: e for e in (ensemble("bar", "pour", food), ensemble("kitchen", "cook"))}))
    assert text(drawn).splitlines()[4:6] == [
        "  uses    food -.-> kitchen/cook  (discovered: cook)",
        "  uses    food -->  kitchen/cook  (fallback)",
    ]
    assert [line.label for line in drawn.arrows] == ["food"], "to the same provider, one arrow says it"


def test_a_fallback_to_somebody_else_is_an_arrow_of_its_own() -> None:
    food = Use("food", Discovery("pour", ()), fallback=StaticTarget("kitchen", "cook"))
    members = (ensemble("bar", "pour"), ensemble("desk", "greet", food), ensemble("kitchen", "cook"))
    drawn = picture(Network("inn", {e.name: e for e in members}))
    assert [(line.label, line.target) for line in drawn.arrows] == [("food", "bar"), ("food (fallback)", "kitchen")]


def report(use: str, target: str | None, *eligible: str, note: str | None = None) -> WhyReport:
    candidates = [
        CandidateReport(provider=p, capability="pour", eligible=True, type="TOOL", state="READY") for p in eligible
    ]
    fixed = {"ensemble": "desk", "kind": "discovered", "need": "pour", "strategy": "random"}
    return WhyReport(use=use, target=target, candidates=tuple(candidates), note=note, **fixed)


def running() -> Picture:
    """The desk's `drink` goes to the pub now; where `keyed` goes depends on the request."""
    uses = (Use("drink", Discovery("pour", ())), Use("keyed", Discovery("pour", ())))
    members = (ensemble("bar", "pour"), ensemble("desk", "greet", *uses), ensemble("pub", "pour"))
    drawn = picture(Network("inn", {e.name: e for e in members}))
    told = [report("drink", "pub/pour", "bar", "pub"), report("keyed", None, "pub", note="it goes by its key")]
    return as_it_runs(drawn, told)


def test_a_running_network_shows_where_its_discovered_uses_go() -> None:
    live = running()
    assert [(line.use, line.target, line.now) for line in live.lines] == [
        ("drink", "bar", False),
        ("drink", "pub", True),
        ("keyed", "bar", False),
        ("keyed", "pub", None),
    ], "what depends on the request is left open"
    assert "  uses    drink -.-> pub/pour  (discovered: pour; now)" in text(live)
    assert 'class="line discovered now"' in svg(live)
    assert [line["now"] for line in document(live)["wiring"]] == [False, True, False, None]


def test_every_format_shows_where_requests_go_now_and_stays_dashed_for_discovered() -> None:
    assert mermaid(running()).splitlines()[-7:] == [
        '  n1 -.->|"drink"| n0',
        '  n1 -.->|"drink"| n2',
        '  n1 -.->|"keyed"| n0',
        '  n1 -.->|"keyed"| n2',
        "  linkStyle 0 stroke-width:1px,opacity:0.45",
        "  linkStyle 1 stroke-width:4px",
        "  linkStyle 2 stroke-width:1px,opacity:0.45",
    ]
    assert dot(running()).splitlines()[-5:-1] == [
        '  "desk" -> "bar" [label="drink", style=dashed, color="gray65", fontcolor="gray45"];',
        '  "desk" -> "pub" [label="drink", style=dashed, penwidth=2.5];',
        '  "desk" -> "bar" [label="keyed", style=dashed, color="gray65", fontcolor="gray45"];',
        '  "desk" -> "pub" [label="keyed", style=dashed];',
    ]


def ring(number: int) -> Network:
    """Each uses the next but one, and discovers whoever carries the tag."""
    names = [f"e{at:02}" for at in range(number)]
    return Network(
        "ring",
        {
            name: ensemble(
                name,
                f"do-{name}",
                Use("next", StaticTarget(names[(at + 2) % number], f"do-{names[(at + 2) % number]}")),
                Use("any", Discovery(None, ("stock",))),
                description=f"Number {at}.",
            )
            for at, name in enumerate(names)
        },
    )


def words_of(drawn: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


def test_where_many_call_each_other_who_asks_stands_on_the_left_and_who_offers_on_the_right() -> None:
    drawn = svg(picture(ring(12)))
    boxes = [element for element in ElementTree.fromstring(drawn).iter(f"{SVG}rect") if element.get("class") == "box"]
    assert len({box.get("x") for box in boxes}) == 2, "two columns"
    words = words_of(drawn)
    assert (words.count("e07"), words.count("Number 7."), words.count("do-e07  tool  stock")) == (2, 1, 1)
    lines = [e.get("class") for e in ElementTree.fromstring(drawn).iter(f"{SVG}path") if e.get("class")]
    assert (lines.count("line"), lines.count("line discovered")) == (12 + 1, 12 * 11 + 1)
    assert any("on the left who asks, on the right who offers" in word for word in words)
    assert "on the left" not in svg(picture(HOTEL)), "a ring of two has room"


def test_a_use_that_may_go_to_many_is_labelled_once_on_each_side() -> None:
    assert words_of(svg(picture(ring(12)))).count("any [stock]") == 12
    uses = (Use("drink", Discovery("pour", ())),)
    members = (ensemble("bar", "pour"), ensemble("desk", "greet", *uses), ensemble("pub", "pour"))
    drawn = svg(picture(Network("inn", {e.name: e for e in members})))
    assert words_of(drawn).count("drink") == 1
    begins = {
        element.get("d", "").split("H")[0]
        for element in ElementTree.fromstring(drawn).iter(f"{SVG}path")
        if "marker-end" in element.attrib and "C" in element.get("d", "")
    }
    assert len(begins) == 1, "both lines begin at one place"


def test_a_source_stands_close_to_what_it_leads_to() -> None:
    """Of 0 → 1 → 2 → 3 and 4 → 3, the last begins where 2 stands."""
    layout = layered(5, [(0, 1), (1, 2), (2, 3), (4, 3)])
    assert [set(rank) for rank in layout.ranks] == [{0}, {1}, {2, 4}, {3}]


def test_what_no_line_touches_stands_in_rows_below() -> None:
    spots, bottom = shelved([Size(400, 80), Size(400, 120), Size(400, 60), Size(900, 50)], 500, 1000)
    assert [(round(s.x), round(s.y)) for s in spots] == [(28, 500), (458, 500), (28, 650), (28, 740)]
    assert bottom == 790


def test_an_svg_is_light_or_dark_as_its_reader_likes() -> None:
    drawn = svg(picture(HOTEL))
    assert "@media (prefers-color-scheme: dark)" in drawn
    assert 'fill="#' not in drawn, "every colour is one of the style's"


def test_a_picture_is_the_same_every_time() -> None:
    backwards = Network("hotel", dict(reversed(HOTEL.ensembles.items())))
    assert svg(picture(HOTEL)) == svg(picture(backwards))


def test_the_text_lists_what_each_shares_and_uses() -> None:
    assert text(picture(HOTEL)) == (
        "hotel: 2 ensembles, 3 edges\n"
        "\n"
        'bar: <b>"Drinks" & more\n'
        "  shares  pour (tool: stock)\n"
        "  uses    food -->  kitchen/cook\n"
        "\n"
        "kitchen\n"
        "  shares  cook (tool: stock)\n"
        "  uses    goods -.-> bar/pour  (discovered: * [stock])\n"
        "  uses    moon  -.-> nobody offers it  (discovered: fly)"
    )


def test_mermaid_escapes_what_would_end_a_label() -> None:
    assert mermaid(picture(HOTEL)) == (
        "flowchart LR\n"
        '  n0["<b>bar</b><br>pour (tool: stock)"]\n'
        '  n1["<b>kitchen</b><br>cook (tool: stock)"]\n'
        '  n0 -->|"food"| n1\n'
        '  n1 -.->|"goods [stock]"| n0\n'
        '  none2(["nobody offers fly"])\n'
        '  n1 -.->|"moon"| none2'
    )


def test_dot_is_solid_for_static_and_dashed_for_discovered() -> None:
    assert dot(picture(HOTEL)).splitlines()[4:] == [
        '  "bar" [label="bar\\npour (tool: stock)"];',
        '  "kitchen" [label="kitchen\\ncook (tool: stock)"];',
        '  "bar" -> "kitchen" [label="food"];',
        '  "kitchen" -> "bar" [label="goods [stock]", style=dashed];',
        '  "?2" [label="nobody offers fly", style=dotted];',
        '  "kitchen" -> "?2" [label="moon", style=dashed];',
        "}",
    ]


def test_the_svg_holds_every_ensemble_capability_and_edge_as_safe_text() -> None:
    root = ElementTree.fromstring(svg(picture(HOTEL)))
    words = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert {"hotel", "bar", "kitchen", '<b>"Drinks" & more', "pour  tool  stock", "food", "goods [stock]"} <= set(words)
    assert "nobody offers fly" in words
    classes = [element.get("class") for element in root.iter(f"{SVG}path") if element.get("class")]
    assert classes.count("line") == 1 + 1, "one static edge, and the legend's"
    assert classes.count("line discovered") == 2 + 1


def test_an_svg_survives_control_characters() -> None:
    odd = Network("hotel", {"bar": ensemble("bar", "pour", description="a\x00b\x1b\ufffe\ud800")})
    ElementTree.fromstring(svg(picture(odd)))


edges = st.integers(1, 12).flatmap(
    lambda boxes: st.tuples(
        st.just(boxes),
        st.lists(
            st.tuples(st.integers(0, boxes - 1), st.integers(0, boxes - 1)).filter(lambda e: e[0] != e[1]), max_size=30
        ),
    )
)


@given(edges)
def test_every_edge_runs_rank_by_rank_from_left_to_right(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    boxes, given_edges = drawn
    layout = layered(boxes, given_edges)
    rank = {number: at for at, column in enumerate(layout.ranks) for number in column}
    assert sorted(number for number in rank if number < boxes) == list(range(boxes))
    for (source, target), (chain, against) in zip(given_edges, layout.chains, strict=True):
        assert (chain[-1], chain[0]) == (source, target) if against else (chain[0], chain[-1]) == (source, target)
        assert all(rank[right] == rank[left] + 1 for left, right in pairwise(chain))


@given(edges)
def test_boxes_of_a_column_never_overlap(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    boxes, given_edges = drawn
    layout = layered(boxes, given_edges)
    placement = placed(layout, [Size(100, 60 + 22 * len(given_edges))] * boxes, [50] * len(layout.ranks), 60)
    for column in layout.ranks:
        for upper, lower in pairwise(column):
            assert placement.spots[upper].y + placement.spots[upper].size.height < placement.spots[lower].y
    assert all(spot.y >= 60 - 1e-6 for spot in placement.spots.values())


def test_a_ring_of_a_thousand_is_laid_out_without_recursion() -> None:
    ring = [(at, (at + 1) % 1000) for at in range(1000)]
    assert len(layered(1000, ring).ranks) == 1000
