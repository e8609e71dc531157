"""The services of local AWS, a file or a folder each."""
