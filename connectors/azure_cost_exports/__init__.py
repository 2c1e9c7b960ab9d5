"""Azure bills from Cost Management exports, cost details reports or queries, and budgets, to the lake."""
