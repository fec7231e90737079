"""Piano rolls: files of them, and MIDI files."""
