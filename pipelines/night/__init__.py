"""One night, step by step, without a scheduler: land, gather, build, look ahead, publish, report.

What belongs here: wiring of config, connectors, warehouse, domain and report in the order of a run. What must not:
dagster (that is `pipelines.defs`, which calls these steps), SQL of models, rules of a connector.
"""
