"""The contract between a run of the notes and its readers: what a record holds, how it is written and read."""
