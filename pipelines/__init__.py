"""The lake → a release: models, jobs and the command line.

What belongs here: `domain` (pure), `warehouse` (runs models, publishes), `defs` (jobs), and the edge that
wires them. What must not: reading a vendor's data (connectors) or rendering (reports).
"""
