"""Bill lines in a vendor's own terms, one module a vendor; staging models turn them into FOCUS charges."""
