"""The outside world → the lake: one folder a source.

What belongs here: reading what a vendor delivers into the canonical datasets. What must not: anything of the
rest of the product, a scheduler, a database.
"""
