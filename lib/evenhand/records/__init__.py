"""What is written down about runs and their budget; below the door, which spends by it."""
