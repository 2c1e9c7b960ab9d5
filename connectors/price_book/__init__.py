"""Connector for published price books: what list prices were, and when that was known.

What belongs here: reading checked-in price book snapshots and the user's overrides. What must not: pricing a
request (that is SQL, with `tests/price_rule.py` as its reference), or any other price list format.
"""
