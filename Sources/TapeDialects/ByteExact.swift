/// A text that equals another only if their bytes do: Swift's strings are equal when they look the same.
@propertyWrapper
struct ByteExact: Sendable, Equatable {
  var wrappedValue: String?

  init(wrappedValue: String? = nil) { self.wrappedValue = wrappedValue }

  static func == (left: ByteExact, right: ByteExact) -> Bool {
    switch (left.wrappedValue, right.wrappedValue) {
    case (nil, nil): true
    case (let left?, let right?): left.utf8.elementsEqual(right.utf8)
    default: false
    }
  }
}
