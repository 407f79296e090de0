"""The rules over a whole network, one a file. Each looks at the draft and yields what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runner.config.checks import (
    affinity,
    agents,
    ambiguous_first,
    authority,
    contracts,
    cycles,
    deadlines,
    deliveries,
    discovery,
    ensembles,
    handoffs,
    later,
    laundering,
    literal_secrets,
    models,
    modes,
    names,
    paths,
    profiles,
    python_targets,
    roles,
    schedules,
    scripts,
    single_providers,
    step_cycles,
    steps,
    tags,
    targets,
    templates,
    unused_capabilities,
    unused_deliveries,
    wide_permissions,
)
from runner.config.draft import Draft
from runner.diagnostics import Diagnostic

Rule = Callable[[Draft], Iterable[Diagnostic]]

RULES: tuple[Rule, ...] = (
    ensembles.network_has_ensembles,
    names.names_are_told_apart,
    targets.static_targets_are_shared,
    discovery.discovered_uses_have_providers,
    modes.asynchronous_uses_are_of_tasks,
    affinity.affinity_keys_compile,
    tags.tags_are_in_the_vocabulary,
    models.routes_are_not_empty,
    agents.agents_have_models_and_tools,
    scripts.scripts_fit_together,
    steps.steps_name_what_exists,
    step_cycles.steps_can_begin,
    handoffs.handoffs_end_their_task,
    deliveries.deliveries_exist,
    roles.roles_exist,
    schedules.schedules_name_tasks,
    profiles.profiles_name_ensembles,
    paths.prompt_files_are_there,
    python_targets.python_targets_are_bound,
    contracts.contracts_are_schemas,
    templates.templates_compile,
    cycles.delegation_ends,
    authority.authority_is_within_the_registered,
    later.later_features_are_named,
)

CAUTIONS: tuple[Rule, ...] = (
    single_providers.needs_have_a_choice,
    ambiguous_first.first_is_clear,
    deadlines.deadlines_can_hold,
    unused_capabilities.capabilities_are_used,
    unused_deliveries.deliveries_are_named,
    laundering.authority_does_not_rise_unasked,
    wide_permissions.needs_are_named,
    literal_secrets.passwords_are_references,
)
"""What works and is worth a second look: warnings of `validate`, asked only of a file without errors, in which nothing
is missing that was meant to be there."""
