internal import TapeCommands

if Tapedeck.wantsLiveHelp(CommandLine.arguments) { try Tapedeck.becomeLive() }
await Entry.run(Tapedeck.self)
