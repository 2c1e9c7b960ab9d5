"""Google Cloud VPC flow logs, exported by Cloud Logging → `transfers`."""
