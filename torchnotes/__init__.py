"""The program around the notes: `python -m torchnotes --help`."""
