internal import TapeCommands

await Entry.runAsync(TapedeckLive.self)
