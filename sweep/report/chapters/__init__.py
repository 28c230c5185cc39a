"""A chapter of the report a file: which answers, in which tables and pictures, with which words between them."""
