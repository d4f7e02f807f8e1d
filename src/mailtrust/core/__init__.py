"""What mailtrust thinks: pure functions of values, with no clock, no socket, no file and no logger."""
