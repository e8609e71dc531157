"""What the functions share: settings from the environment, AWS clients, JSON documents in S3, the model registry."""
