"""Published measurements of memory, and how ftui's estimate compares with them."""
