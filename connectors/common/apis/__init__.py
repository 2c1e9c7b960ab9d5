"""APIs that are asked for UTC days: calling them, windows of days, reports in buckets, bills made of days."""
