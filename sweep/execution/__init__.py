"""Cuts what the store does not hold into tasks, and runs them in this process or on Ray."""
