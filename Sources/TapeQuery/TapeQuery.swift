// TapeQuery
