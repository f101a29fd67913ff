"""What ``--format`` is about: Go's templates, Docker's types in them, rows and tables."""
