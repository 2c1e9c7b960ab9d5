"""Request logs that vendors write to a store: their objects, groups of them, and rows of `requests` out of them."""
