"""The catalog of everything mailtrust can say."""
