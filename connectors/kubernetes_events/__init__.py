"""Deploys, scale-ups and restarts of Kubernetes, from lists written by kubectl, to `events`."""
