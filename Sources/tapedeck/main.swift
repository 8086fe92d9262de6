internal import CTapeShims
internal import TapeCommands

tape_keep_freed_memory()
if Tapedeck.wantsLiveHelp(CommandLine.arguments) { try Tapedeck.becomeLive() }
Entry.run(Tapedeck.self)
