"""The peers: the obvious ways to do the same, each as its own documentation shows it."""
