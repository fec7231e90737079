"""Speech and handwriting that are made up: phones and their sounds, the movement of a pen."""
