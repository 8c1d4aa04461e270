"""The values that notes leave in a record for the pictures that explain them."""

MOST_NUMBERS = 4096
"""How many numbers one picture may take from a note, as record.schema.json has it: a record is to stay small."""
