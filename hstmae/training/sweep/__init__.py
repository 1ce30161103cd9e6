"""Many runs: hyper-parameter search and its report."""
