"""The whole line in one process, driven by one seed: faults, deaths and races on purpose, and an auditor beside it."""
