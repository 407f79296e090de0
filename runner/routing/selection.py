"""Which of several providers: the table of strategies. Each is a pure function, one a file."""

from __future__ import annotations

from collections.abc import Mapping

from runner.model import Selection
from runner.routing.affinity import affinity
from runner.routing.at_random import at_random
from runner.routing.first import first
from runner.routing.least_loaded import least_loaded
from runner.routing.lowest_cost import lowest_cost
from runner.routing.lowest_latency import lowest_latency
from runner.routing.meets_deadline import meets_deadline
from runner.routing.round_robin import round_robin
from runner.routing.strategy import Strategy

STRATEGIES: Mapping[Selection, Strategy] = {
    Selection.FIRST: first,
    Selection.ROUND_ROBIN: round_robin,
    Selection.RANDOM: at_random,
    Selection.LEAST_LOADED: least_loaded,
    Selection.AFFINITY: affinity,
    Selection.LOWEST_LATENCY: lowest_latency,
    Selection.LOWEST_COST: lowest_cost,
    Selection.MEETS_DEADLINE: meets_deadline,
}
