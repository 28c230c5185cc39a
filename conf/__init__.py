"""Configuration data, packaged so that ``python -m sweep`` finds it from any directory."""
