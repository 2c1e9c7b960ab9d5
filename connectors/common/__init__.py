"""What connectors share: the contract, the canonical datasets, landing, manifests and identity.

What belongs here: code that at least two connectors need. What must not: anything that knows one vendor.
"""
