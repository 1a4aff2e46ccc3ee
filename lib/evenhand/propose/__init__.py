"""A first plan, proposed from the names and types of columns alone: no row is read."""
