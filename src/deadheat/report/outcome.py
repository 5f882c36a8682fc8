"""The last words of a run or a replay."""
