"""The parts of `python -m bench`: servers, generators, one module a question, and the report."""
