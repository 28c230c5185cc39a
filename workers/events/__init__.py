"""One scenario, event by event: what decides where the timer chains and the slices of workers.slices are too coarse."""
