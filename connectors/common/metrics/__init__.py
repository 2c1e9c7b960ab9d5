"""Samples of metrics in files: reading them, counting by the hour, landing them by UTC day."""
