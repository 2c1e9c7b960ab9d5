"""Plain files of model calls (CSV, JSON lines, Parquet) with a column mapping → the dataset `requests`."""
