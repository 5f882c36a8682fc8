"""Artifacts, results and verdicts as words and pictures. Decides nothing."""
