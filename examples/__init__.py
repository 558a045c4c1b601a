"""From a blocking WSGI callable to this deployment, one runnable file a step."""
