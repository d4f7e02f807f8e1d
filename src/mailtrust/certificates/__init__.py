"""Certificates and keys as files: making them, reading what people bring, and keeping them safe."""
