"""Detection before networks: Haar features, HOG and a linear SVM, parts, selective search. Taught in notebook 15_classic."""
