"""`python -m rtmp_bridge`."""

import sys

from rtmp_bridge.command import main

if __name__ == "__main__":
    sys.exit(main())
