"""Anthropic: what an organization used, and what it cost, by Anthropic's own count."""
