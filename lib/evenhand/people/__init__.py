"""What the people in the tables can ask for, and the use of segments, which ends where they say no."""
