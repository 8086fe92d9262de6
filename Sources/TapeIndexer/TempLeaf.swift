internal import TapeTypes
struct LeafHasher {
  mutating func frame(offsetNs: Int64?, _ frame: UnsafeRawBufferPointer) {}
  func finish(open: CallOpen, head: CallHead?, end: CallEnd?) -> [UInt8] { [] }
}
