"""Pictures: of what notes leave behind, and of what was measured."""

import os

# A notebook's shell names a backend that may not be installed, and matplotlib reads it at its import. Nothing is shown.
os.environ["MPLBACKEND"] = "agg"
