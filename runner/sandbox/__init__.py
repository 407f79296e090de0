"""The Jinja behind `templates.py`: sandboxed, strict, over plain data, and capped in time, steps and size.

The sandbox of Jinja keeps templates away from Python, not from eating the machine. So everything that can grow is
metered: loops and calls tick, outputs and built values are charged for their size, and what multiplies (`*`, `**`,
`%`, widths, `join`, `replace`) is judged before it is done. Macros, imports and recursive loops are refused: text in a
YAML file needs none, and they are where the meters would leak.
"""
