"""What is true about money: pure values and pure functions, no clock, no input or output."""
