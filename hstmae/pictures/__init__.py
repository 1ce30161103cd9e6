"""Picture files <-> arrays; knows no model."""
