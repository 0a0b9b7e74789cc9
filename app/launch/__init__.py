"""What `make run` starts: prepares the instance, runs every process, and stops them in order."""
