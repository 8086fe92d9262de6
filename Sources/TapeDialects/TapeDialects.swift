// TapeDialects
