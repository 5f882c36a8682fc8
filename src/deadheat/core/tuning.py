class Tuner:
    def __init__(self, program, signature, *, rng, trials): self.best = program
    def next(self): return None
    def feed(self, v): pass
