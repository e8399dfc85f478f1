"""What the company's own staff decides."""
