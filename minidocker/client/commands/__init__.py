"""The commands, a file for each family; ``client.main`` imports the one that is called."""
