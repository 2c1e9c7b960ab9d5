"""Helicone's logged requests: exports of its table `request_response_rmt` or of its API → the dataset `requests`."""
