"""What happens to rows, runs and bytes when things break: faults at the protocol and at processes, on real compute (`make faults`)."""
