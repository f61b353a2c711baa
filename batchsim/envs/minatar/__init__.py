"""Games on a board of ten by ten cells, with the bits of the package MinAtar."""
