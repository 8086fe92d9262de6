// TapeSSE
