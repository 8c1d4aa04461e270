"""What the notes must not have to think about: devices, versions, isolation, the summary and the text of a failure."""
