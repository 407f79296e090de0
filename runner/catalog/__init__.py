"""The catalog: every capability on offer, found by name, tag, provider, domain and type. Pure."""

from runner.catalog.declared import declared
from runner.catalog.index import Catalog

__all__ = ["Catalog", "declared"]
