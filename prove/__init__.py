"""Proof on a running stack: traffic, faults, and what was lost, doubled or missed meanwhile."""
