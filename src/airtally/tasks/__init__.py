"""Long work that people ask for, done by a job once among all processes, and what came of it."""
