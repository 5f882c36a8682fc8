"""Why is there no legal order?"""
