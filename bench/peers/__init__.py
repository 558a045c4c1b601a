"""What the project is measured against: the obvious ways to do the same, each as its own docs show it."""
