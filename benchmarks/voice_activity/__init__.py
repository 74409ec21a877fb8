"""Whether what is no voice is heard as one, and what becomes of voices."""
