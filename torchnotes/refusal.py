"""What is raised when something that was given cannot be used."""


class Refusal(ValueError):
    """The message says in one line what was given, what is wrong with it, and what to give or type instead."""
