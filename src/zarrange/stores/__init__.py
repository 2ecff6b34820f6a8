"""What is really there: all reading and writing."""
