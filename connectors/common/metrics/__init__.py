"""Samples of metrics, in files and in CloudWatch: reading them, counting by the hour, landing them by UTC day."""
