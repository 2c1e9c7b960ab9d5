"""Exported generation records of OpenRouter → the dataset `requests`."""
