"""FOCUS bill files from a local folder to `charges`."""
