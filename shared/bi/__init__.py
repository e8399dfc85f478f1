"""The BI layer as models: the SQL, what it reads, what it means, and what must be true of it. See docs/bi.md."""
