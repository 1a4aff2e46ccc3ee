"""Erasing people from the restricted zone: whom, how it is done physically, and how it is proven."""
