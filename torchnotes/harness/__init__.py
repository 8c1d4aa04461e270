"""What pytest loads and the notes must not have to think about: devices, versions, isolation, mutants, failures."""
