"""What pytest loads and the notes must not have to think about: devices, versions, isolation, mutants, failures."""

pytest_plugins = [  # where two have the same hook, pytest calls the one that is further below first
    "torchnotes.harness.mutants",  # --mutants
    "torchnotes.harness.recording",  # --record
    "torchnotes.harness.pictured",
    "torchnotes.harness.said",
    "torchnotes.harness.failures",
    "torchnotes.harness.census",  # --at-least, --allow-missing
    "torchnotes.harness.numerics",
    "torchnotes.harness.simulation",
    "torchnotes.harness.costly",  # --costly
    "torchnotes.harness.exercises",
    "torchnotes.harness.boundaries",
    "torchnotes.harness.devices",  # --device
    "torchnotes.harness.start",  # --expect, --seed
]
