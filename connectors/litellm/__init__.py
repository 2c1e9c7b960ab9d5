"""LiteLLM's proxy: its SpendLogs (Postgres or export) and its StandardLoggingPayload files → the dataset `requests`."""
