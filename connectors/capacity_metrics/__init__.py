"""How busy self-hosted models and their GPUs were, from Prometheus metrics in files to `capacity`."""
