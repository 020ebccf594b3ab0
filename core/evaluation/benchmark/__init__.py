"""Many trainings and evaluations: categories x pipelines x seeds, resumed where they were left, and what they say."""
