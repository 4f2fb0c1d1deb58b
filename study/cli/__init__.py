"""The commands of `study`, by what they are for."""
