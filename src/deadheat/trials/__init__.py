"""What to run next, and what trials prove. Pure: decisions with next() and feed()."""
