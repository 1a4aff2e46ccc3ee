"""Results on the driver as rows of the output's tables, and back. Everything here has passed the door."""
