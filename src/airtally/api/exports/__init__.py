"""`/api/v1/exports`: rows and answers as files. The page for callers is docs/reference/exports-api.md."""
