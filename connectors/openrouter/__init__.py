"""OpenRouter's daily activity → the datasets `provider_usage` and `charges`."""
