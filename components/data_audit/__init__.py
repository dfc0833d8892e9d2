"""DataAudit: duplicates, label conflicts and leakage, before anything is trained."""
