# Nothing to add to the packages.
