"""Named data sets and weights, fetched once from the package index and then read offline."""
