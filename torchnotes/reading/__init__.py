"""The notes as their sources say them, without importing them."""
