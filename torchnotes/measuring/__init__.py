"""Races of alternatives, and what may be said of them."""
