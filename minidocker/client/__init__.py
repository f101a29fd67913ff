"""The command line: flags become requests to a daemon, answers become tables and streams."""
