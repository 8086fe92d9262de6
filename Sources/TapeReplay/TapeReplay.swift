// TapeReplay
