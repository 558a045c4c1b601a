"""The parts of `python -m loadtest.bench`: servers, generators, one module a question, and the report."""
