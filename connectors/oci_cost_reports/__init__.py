"""Oracle Cloud's FOCUS cost reports to `charges`."""
