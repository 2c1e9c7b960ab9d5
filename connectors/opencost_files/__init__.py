"""Hours of GPU nodes and how much of them pods reserved, from OpenCost or Kubecost allocations, to `capacity`."""
