"""How long the capabilities of one ensemble take here: a running mean of each that was called lately.

What was not called for a while is forgotten, so that a provider which was slow once is tried again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LATELY_SECONDS = 60.0
MOST_CAPABILITIES = 256
"""Of how many it is known at once: the beat carries them all."""

WEIGHT = 0.2
"""How much the last time counts in the mean."""


@dataclass(slots=True)
class _Mean:
    seconds: float
    at: float


@dataclass(slots=True, eq=False)
class ServiceTimes:
    """Of one ensemble on one runner. `clock` gives seconds."""

    clock: Callable[[], float] = time.monotonic
    _means: OrderedDict[str, _Mean] = field(default_factory=OrderedDict)
    """The one that was called last stands last."""

    def add(self, capability: str, seconds: float) -> None:
        """A call was completed, so many seconds after it had its slot."""
        mean = self._means.pop(capability, None)
        if mean is None:
            mean = _Mean(seconds, 0.0)
        mean.seconds += (seconds - mean.seconds) * WEIGHT
        mean.at = self.clock()
        self._means[capability] = mean
        if len(self._means) > MOST_CAPABILITIES:
            self._means.popitem(last=False)

    def lately(self) -> Mapping[str, float]:
        """The mean seconds by capability."""
        since = self.clock() - LATELY_SECONDS
        while self._means and next(iter(self._means.values())).at < since:
            self._means.popitem(last=False)
        return {name: mean.seconds for name, mean in self._means.items()}
