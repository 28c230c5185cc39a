"""All CPUs of many scenarios at once, slice by slice of virtual time, in numpy."""
