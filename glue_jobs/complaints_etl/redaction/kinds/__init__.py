"""One module per kind of personal data: its rules, with a positive and a negative example."""
