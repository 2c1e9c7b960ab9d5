"""Google Cloud billing exports, prices, accounts and budgets."""
