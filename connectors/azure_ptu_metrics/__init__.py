"""How much of provisioned throughput was used, from Azure Monitor metrics in files to `capacity`."""
