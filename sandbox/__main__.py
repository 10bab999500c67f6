"""`python -m sandbox` is the demo; `make demo` prepares the machine first."""

import sys

from sandbox.demo import main

if __name__ == "__main__":
    sys.exit(main())
