"""What every app does with its process: arguments, streams, signals, the terminal, and the exit code."""
