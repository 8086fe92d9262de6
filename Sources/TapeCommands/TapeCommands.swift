// TapeCommands
