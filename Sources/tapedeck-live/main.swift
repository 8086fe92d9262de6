internal import TapeCommands

await Entry.run(TapedeckLive.self)
