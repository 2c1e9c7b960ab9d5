"""The first sample company, written object by object; it goes when the vendors of the new one deliver."""
