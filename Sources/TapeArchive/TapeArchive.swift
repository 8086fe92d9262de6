// TapeArchive
