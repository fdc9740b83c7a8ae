"""A classifier slid over the picture, one window after another and then all at once. Taught in notebook 14_sliding_window."""
