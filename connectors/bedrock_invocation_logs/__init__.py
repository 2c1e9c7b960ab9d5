"""Amazon Bedrock's model invocation logs in S3 → the dataset `requests`."""
