# ruff: noqa: E501 - word for word
"""The YAML blocks of the design page, word for word, completed by the smallest files that they name."""

from __future__ import annotations

NETWORK = """\
# network.yaml
# yaml-language-server: $schema=schemas/network.schema.json
version: 1
network: grand-hotel
nats: {}                              # embedded server; or {url: [nats://a:4222], credentials: "${file:...}", tls: {...}}
tags:                                 # the vocabulary; with it, a tag outside it is an error with "did you mean"
  food: anything about meals
  stock: {description: counts of goods, aliases: [inventory]}
  repair: mending things
models:                               # a route is a list: the first that answers, local before cloud
  concierge:
    - {provider: openai, base_url: "${env:LLM_BASE_URL}", model: "${env:LLM_MODEL:-default}", when: "${env:LLM_BASE_URL:-}"}
    - {provider: scripted, script: ensembles/scripts/concierge.yaml}     # no key needed: the sample runs offline
deliveries:                           # named delivery specs, used by name anywhere a delivery is asked for
  guest-board: {store: {key: "board/{{ request.requestId }}", ttl: 24h}}
  erp: {webhook: {url: "${env:ERP_URL}", secret: "${env:ERP_SECRET}"}, when: "${env:ERP_URL:-}"}
roles: {chef: {token: "${env:CHEF_TOKEN:-}"}}          # built in: `operator`, held by whoever can read .run-network/
clients: {erp-bridge: {token: "${env:BRIDGE_TOKEN:-}", scope: [procurement/*], authority: supervised}}   # callers from outside
defaults: {priority: normal, deadline: 30m, ageing: 5m, max_hops: 16, drain_timeout: 60s, on_remove: hold, results_kept: 24h}
audit: {level: standard, kept: 7d}
profiles: {weekend: {kitchen: {capacity: {max_concurrent: 12}}}}
ensembles:
  room-service: ensembles/room-service.yaml      # a path, or the ensemble itself inline
  kitchen: ensembles/kitchen.yaml
  procurement: ensembles/procurement.yaml
  maintenance: ensembles/maintenance.yaml
"""

KITCHEN = """\
# ensembles/kitchen.yaml
description: Prepares meals and keeps the pantry.
domain: food-and-beverage
authority: supervised
scope: ["*"]                          # what it lends on; default everything
replicas: 1
placement: inline                     # or process: its own OS process
sla: 2m                               # claimed within this, or re-routed
capacity: {max_concurrent: 4, queue_limit: 500, backpressure: 2.0}                      # defaults: 16, 1000, 2.0
uses:                                                                                   # one namespace with tools
  order-parts: procurement/purchase-parts                                               # static; short for {to: procurement/purchase-parts}
  find-repair: {discover: repair-status, tags: [repair], select: least-loaded, fallback: maintenance/repair-status}
  parts-later: {to: procurement/purchase-parts, mode: async, deadline: 30m, priority: low, delivery: guest-board,
                retry: {attempts: 3, backoff: 5s}, circuit_breaker: {failures: 5, window: 1m, half_open_after: 5m}, on_deadline: continue}
agents:
  chef: {model: concierge, instructions: prompts/chef.md, tools: [check-inventory, order-parts]}   # local and remote tools look alike
tools:
  check-inventory: {python: "kitchen:check_inventory", description: How many portions are left., share: [food, stock]}
tasks:
  prepare-meal:
    description: Prepare a meal as the guest asks.
    share: {tags: [food], authority: supervised}          # or a list of tags, or true
    input_schema: meal.schema.json                        # optional typed wrapper; without it the contract is natural language
    steps:                                                # each step's output is checkpointed; `needs:` makes a DAG, else in order
      - {id: stock, tool: check-inventory}
      - {review: {role: chef, when: "'allergy' in context", timeout: 10m, on_timeout: deny}}
      - {id: cook, agent: chef, prompt: "Plan: {{ context }}. Stock: {{ steps.stock }}"}
    output: "{{ steps.cook }}"
schedules:
  stock-check: {cron: "0 2 * * *", time_zone: Europe/Paris, task: prepare-meal, context: tasting menu, delivery: {topic: stock}}
memory: {pantry: {consistency: optimistic}}               # eventual, optimistic or locked
"""

FILES = {
    "network.yaml": NETWORK,
    "ensembles/kitchen.yaml": KITCHEN,
    "ensembles/room-service.yaml": "uses: {cook: kitchen/prepare-meal}\n",
    "ensembles/procurement.yaml": "tasks: {purchase-parts: {share: true, steps: [{template: Ordered.}]}}\n",
    "ensembles/maintenance.yaml": "tasks: {repair-status: {share: [repair], steps: [{template: Fine.}]}}\n",
    "ensembles/scripts/concierge.yaml": "cases: [{say: 'As you wish: {{ prompt }}'}]\n",
    "ensembles/prompts/chef.md": "You are the chef.\n",
    "ensembles/kitchen.py": "def check_inventory(dish: str) -> int:\n    return len(dish)\n",
    "ensembles/meal.schema.json": '{"type": "object", "properties": {"dish": {"type": "string"}}}\n',
}
