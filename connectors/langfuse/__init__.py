"""Langfuse's export to object stores: observations and traces → the datasets `requests` and `spans`."""
