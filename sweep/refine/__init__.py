"""Maps the regions of a grid with a fraction of its runs: which cells to run next, and what the others imply.

Pure numpy, no files, no Ray. ``lattice`` lays a grid's rows out as cells; ``field`` spreads the verdicts of the cells
run over the others, as chances; ``search`` asks for rounds of cells and is told their verdicts.
"""
