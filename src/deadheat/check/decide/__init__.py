"""Is there a legal order?"""
