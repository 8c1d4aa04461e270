"""pytest in a process whose workers are started by one method: python tests/harness/started.py spawn [ARGUMENT...].

Windows and macOS know spawn, Linux forks up to Python 3.13 and has a forkserver from 3.14 on.
"""

import multiprocessing
import sys

if __name__ == "__main__":  # a spawned worker imports this file
    import pytest

    method, *arguments = sys.argv[1:]
    multiprocessing.set_start_method(method)
    sys.exit(pytest.main(arguments))
