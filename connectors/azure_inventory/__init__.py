"""What exists in Azure subscriptions: resources, network interfaces, zones, subscription names."""
