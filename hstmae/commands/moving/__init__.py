"""Verbs that move what is there: parts of a job into one, and footage into and out of other formats."""
