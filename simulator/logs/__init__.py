"""What observers of the simulated company deliver: spans, gateway and provider logs, measurements, inventories.

What belongs here: each emitter's own file format, and which call stands in which file. What must not: who did what
(`simulator.world`), money (`simulator.bills`), or any import of the pipeline.
"""
