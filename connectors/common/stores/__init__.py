"""Object stores: one small interface over disk, S3, Azure Blob and Google Cloud Storage."""
