"""Google Vertex AI's logs of inference requests → the dataset `requests`."""
