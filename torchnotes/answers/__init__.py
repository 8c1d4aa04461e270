"""What the notes answer somebody who pastes an error, a warning, a traceback or a question."""
