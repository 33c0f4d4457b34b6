"""What is told of requests to those who operate the gateway: traces, metrics, logs."""
