"""Twelve broken detectors, what their doctor can measure, and the list of diagnoses. Taught in notebook 21_bug_clinic."""
