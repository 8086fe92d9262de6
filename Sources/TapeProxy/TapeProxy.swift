// TapeProxy
