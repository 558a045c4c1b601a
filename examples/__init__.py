"""From a blocking WSGI callable to this deployment, in steps that each run by themselves."""
