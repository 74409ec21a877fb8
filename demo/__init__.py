"""A real face with synthesised speech, and one command that recognises it."""
