"""From the rows of the run's files to records: the columns that are ours, cleaned, redacted and accounted for."""
