"""Hours of GPU hosts, endpoints and provisioned throughput, from plain files to `capacity`."""
