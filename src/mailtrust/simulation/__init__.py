"""A world in memory on a virtual clock: it puts the shipped engine, readers and checks to the test."""
