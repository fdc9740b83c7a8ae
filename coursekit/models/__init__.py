"""Networks that classify images, one family a file, and what they are made of. Taught in notebooks 05 and 07 to 12."""
