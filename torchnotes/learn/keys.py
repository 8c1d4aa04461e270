"""One key at a time from a terminal, without waiting for Enter: on Windows and elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager

if sys.platform == "win32":
    import msvcrt

    @contextmanager
    def unbuffered():
        """Within it `pressed` gives a key as soon as it is pressed."""
        yield

    def pressed(seconds):
        """The key that is pressed within these seconds, or an empty text."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if msvcrt.kbhit():
                return msvcrt.getwch()
            time.sleep(0.05)
        return ""

else:
    import select
    import termios
    import tty

    @contextmanager
    def unbuffered():
        """Within it `pressed` gives a key as soon as it is pressed."""
        before = termios.tcgetattr(sys.stdin)
        try:
            tty.setcbreak(sys.stdin)
            yield
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    def pressed(seconds):
        """The key that is pressed within these seconds, or an empty text."""
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return sys.stdin.read(1) if ready else ""
