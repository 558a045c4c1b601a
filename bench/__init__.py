"""The benchmarks, `python -m bench`: servers, a load generator, experiments and the report."""
