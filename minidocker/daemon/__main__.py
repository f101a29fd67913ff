"""``python -m minidocker.daemon``: the daemon in the foreground."""

import sys

from minidocker.daemon.main import main

sys.exit(main())
