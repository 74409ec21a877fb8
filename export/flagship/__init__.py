"""The original system's own trained files to a model repository that the same ensembles serve."""
