"""What a record holds besides its text: its id, its label, when it was received, the columns that go along."""
