"""Pods, services and nodes of Kubernetes clusters, from lists written by kubectl."""
