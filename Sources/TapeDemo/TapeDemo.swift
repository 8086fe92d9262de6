// TapeDemo
