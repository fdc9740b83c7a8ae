"""The project of notebook 24_project: its steps, the submission and its scorer, the ablation table and the report."""
