"""Networks that classify images, one family a file. Taught in notebooks 07_convolution, 09_architectures and 10_efficient."""
