"""Pictures of answers, as SVG: the same answers give the same bytes."""
