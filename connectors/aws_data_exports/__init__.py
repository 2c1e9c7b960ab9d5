"""AWS Data Exports: CUR 2.0 and FOCUS tables as AWS delivers them to S3."""
