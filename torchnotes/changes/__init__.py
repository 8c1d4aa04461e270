"""What changes between two runs of the notes."""
