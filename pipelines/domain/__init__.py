"""Rules as pure functions: values in, values out.

What belongs here: what would be true without any computer. What must not: clocks, files, engines, schedulers.
"""
