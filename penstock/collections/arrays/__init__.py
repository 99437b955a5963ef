"""What `penstock.array` gives: `Array` and the functions on it, by topic."""
