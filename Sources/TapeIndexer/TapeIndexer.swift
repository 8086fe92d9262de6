// TapeIndexer
