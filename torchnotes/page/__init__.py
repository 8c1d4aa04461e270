"""One page of HTML, complete in itself: the notes with their verdicts, what changed between runs, what was measured."""
