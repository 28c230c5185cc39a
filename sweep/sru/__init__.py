"""``python -m sweep.sru HOST|FLEET``: what the bug of the backport to 5.15 still needs, from runs of the model."""
