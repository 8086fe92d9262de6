internal import TapeQuery

/// Pages that took long to make, for as long as nothing was written to the catalogue: sums over a million calls need not be
/// made anew for who looks twice.
struct KeptPages: Sendable {
  /// What a page was made of.
  struct Key: Hashable, Sendable {
    var path: String
    var query: String
    /// With the times that ages such as `7d` mean at this moment.
    var filter: CallFilter
  }

  private static let most = 32

  private var stamp = ""
  /// The latest last.
  private var pages: [(key: Key, html: HTML)] = []

  func page(_ key: Key, at stamp: String) -> HTML? {
    self.stamp == stamp ? pages.last { $0.key == key }?.html : nil
  }

  mutating func keep(_ html: HTML, for key: Key, at stamp: String) {
    if self.stamp != stamp { pages = [] }
    self.stamp = stamp
    pages.append((key, html))
    if pages.count > Self.most { pages.removeFirst() }
  }
}
