"""``python -m sweep.capacity FLEET.csv``: which machines of a fleet lock up, how far they are from it, what helps."""
