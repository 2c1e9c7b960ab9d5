"""What exists in AWS accounts: network interfaces, instances, log groups, zones, member accounts."""
