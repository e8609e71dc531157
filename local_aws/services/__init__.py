"""The services behind local AWS's APIs: one file or folder per service."""
