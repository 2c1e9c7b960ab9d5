"""What Amazon Bedrock counts in CloudWatch → the dataset `provider_usage`."""
