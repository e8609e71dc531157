"""The operator's command line: upload complaints, follow runs and read results, on AWS or on local AWS."""

__version__ = "0.2.0"
