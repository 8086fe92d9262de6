package import TapeConfiguration
internal import TapeTypes
internal import Foundation

extension Configuration {
  /// The file that `--config` names, else the usual one if it is there.
  ///
  /// - Throws: `TapeError(.usage)` if the file cannot be read or says something that makes no sense.
  package static func load(_ flag: String?) throws -> Configuration {
    let environment = ProcessInfo.processInfo.environment
    guard let path = flag ?? defaultPath(environment: environment) else { return Configuration() }
    guard flag != nil || FileManager.default.fileExists(atPath: path) else { return Configuration() }
    return try read(path)
  }

  package static func read(_ path: String) throws -> Configuration {
    let data: Data
    do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
      throw TapeError(.usage, "cannot read the configuration \(path): \(error.localizedDescription)")
    }
    return try Configuration(Array(data), path: path)
  }

  /// A setting: the flag, else the environment, else the file.
  package func setting(_ key: String, flag: String?) -> String? {
    if let flag { return flag }
    guard let known = Self.keys.first(where: { $0.name == key }) else { return nil }
    if let value = ProcessInfo.processInfo.environment[known.variable], !value.isEmpty { return value }
    return text(key)
  }

  /// The same for what is on or off.
  ///
  /// - Throws: `TapeError(.usage)` for a variable that says neither.
  package func setting(_ key: String, flag: Bool?, default usual: Bool) throws -> Bool {
    guard let text = setting(key, flag: flag.map { $0 ? "true" : "false" }) else { return usual }
    switch text.lowercased() {
    case "true", "1", "yes", "on": return true
    case "false", "0", "no", "off": return false
    default: throw TapeError(.usage, "\(key) takes true or false, not '\(text)'")
    }
  }

  /// The same for one of a few words.
  package func setting(_ key: String, flag: String?, among words: [String]) throws -> String? {
    guard let text = setting(key, flag: flag) else { return nil }
    guard words.contains(text) else {
      throw TapeError(.usage, "\(key) takes \(words.joined(separator: " or ")), not '\(text)'")
    }
    return text
  }
}
