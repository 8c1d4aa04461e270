"""What runs of the notes found, put beside each other. It reads records and never pytest: `python -m page --help`."""
