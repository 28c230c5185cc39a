"""What might keep a machine from locking up: one remedy a file, each a function of the host class."""

from __future__ import annotations

from sweep.capacity.remedies import clamp, forcedac, passthrough, patch, patch_and_clamp, strict

REMEDIES = (patch.REMEDY, forcedac.REMEDY, clamp.REMEDY, patch_and_clamp.REMEDY, strict.REMEDY, passthrough.REMEDY)
"""Every remedy, those that cost least beside first."""
