"""How busy SageMaker endpoints were, from CloudWatch to `capacity`."""
