"""The notes as something to do: exercises with blanks, and a screen to solve them at."""
