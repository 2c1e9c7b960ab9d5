"""Azure API Management's logs of model calls → the dataset `requests`."""
