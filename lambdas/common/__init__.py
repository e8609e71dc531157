"""What the functions share: settings, AWS clients, JSON documents in S3, the ledger and its slots, the model registry."""
