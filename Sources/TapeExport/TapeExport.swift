// TapeExport
