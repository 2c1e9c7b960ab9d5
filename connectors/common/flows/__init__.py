"""Flow logs: addresses of our own, sums by the hour, what their settings share."""
