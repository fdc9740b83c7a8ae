"""Two-stage detection: first where something might be, then what it is. Taught in notebook 18_two_stage."""
