"""What several test packages lean on: prerequisites, leak guard, engines to drive."""
