"""Servers that the tests start on loopback, so that real client libraries talk to something real."""
