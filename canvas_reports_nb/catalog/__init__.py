"""Which reports there are: their parameters, tables and columns."""
