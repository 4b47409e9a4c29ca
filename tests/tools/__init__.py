"""Tools for the people who work on ftui; nothing here ships."""
