"""Usage: lock_holder PATH. Locks a pid file as a worker does, says so, and goes on until its input ends."""

import fcntl
import os
import sys

if __name__ == "__main__":
    descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    sys.stdout.write("locked\n")
    sys.stdout.flush()
    sys.stdin.read()
