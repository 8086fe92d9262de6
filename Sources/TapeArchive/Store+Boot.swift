extension Store {
  private static let bootFile = "/proc/sys/kernel/random/boot_id"

  /// A number that another boot of the machine does not have; 0 where the system does not say.
  ///
  /// What was written and not synced is what it was until the machine stops: so whoever derived something from it has
  /// to look again after that.
  package var boot: Int64 {
    guard let descriptor = try? files.open(Self.bootFile, .read) else { return 0 }
    defer { files.close(descriptor) }
    // Such files do not tell their size.
    guard let id = try? files.read(descriptor, 0..<64) else { return 0 }
    // FNV-1a.
    return id.reduce(Int64(bitPattern: 0xCBF2_9CE4_8422_2325)) { ($0 ^ Int64($1)) &* 0x100_0000_01B3 }
  }
}
