"""What is done to a text before anything is looked for in it."""
