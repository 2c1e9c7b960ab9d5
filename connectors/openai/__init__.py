"""OpenAI: what an organization used, and what it cost, by OpenAI's own count."""
