"""One module per verb of the `hstmae` command: HELP, EXAMPLES, add_arguments(parser), run(args)."""
