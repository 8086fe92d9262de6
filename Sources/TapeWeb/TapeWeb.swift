// TapeWeb
