"""Measuring restorations: metrics, fillers to compare with, and the evaluation loop."""
