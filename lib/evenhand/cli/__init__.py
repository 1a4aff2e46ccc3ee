"""The command `evenhand`: one file a command in `commands`, listed in `main`; each does what a function of the package does."""
