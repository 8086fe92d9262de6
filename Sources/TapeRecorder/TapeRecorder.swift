// TapeRecorder
