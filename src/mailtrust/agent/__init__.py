"""Where looking, thinking and acting meet: the only package that changes anything, and the journal of it."""
