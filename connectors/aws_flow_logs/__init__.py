"""AWS VPC flow logs → `transfers`."""
