"""Measures speed and memory on generated data, each module a command whose last line is one JSON object.

What belongs here: benchmarks. What must not: assertions about right results (tests), or use by the product.
"""
