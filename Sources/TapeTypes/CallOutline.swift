/// One sealed call as head and text of its block show it, without its cuts, arrival times and salt: what an indexer
/// needs, at a small part of the cost of decoding.
///
/// A frame is a template with a value in each hole; the values of one hole's column are here joined, in the order of
/// the frames. What joined values cannot tell (`Column.isPlain` is false, or whatever the reader is not sure of) has
/// to be read from the decoded call.
package struct CallOutline: Sendable, Equatable {
  /// A shape of frames: literal bytes around holes. A frame that is like no other is one without holes.
  package struct Template: Sendable, Equatable {
    /// Raw bytes before, between and behind the holes: one more than there are holes.
    package var literals: [[UInt8]]
    /// For each hole the index of its column in `columns`. No two holes of a template have the same.
    package var holes: [Int]

    package init(literals: [[UInt8]], holes: [Int]) {
      self.literals = literals
      self.holes = holes
    }

    /// The frame with these values in its holes.
    package func frame(_ values: (_ column: Int) -> [UInt8]) -> [UInt8] {
      var bytes = literals[0]
      for (hole, column) in holes.enumerated() {
        bytes += values(column)
        bytes += literals[hole + 1]
      }
      return bytes
    }
  }

  /// So many frames in a row of one template.
  package struct Run: Sendable, Equatable {
    package var template: Int
    package var count: Int

    package init(template: Int, count: Int) {
      self.template = template
      self.count = count
    }
  }

  /// All values of one field, whichever templates they came in.
  package struct Column: Sendable, Equatable {
    package enum Kind: Sendable {
      /// The inside of a JSON string, or the rest of a line, as it was on the wire: escapes are not resolved.
      case text
      /// A JSON number as it was on the wire. `bytes` is empty.
      case number
    }

    package var kind: Kind
    /// Where in the frame's JSON the value is: keys joined by `.`, list elements as `[i]`, where i is the element's
    /// `index` member if it has one, else its position. Bytes of keys other than letters, digits, `_` and `-` are
    /// written `%XX`. A second value of the same path in one frame has `~2` behind it, and so on. What stands before the
    /// first `:` is the root's `type` and `index` members, as in `delta[0]:text`, that tell events with equal fields apart. Fields of lines that are no JSON begin with `/`.
    package var path: String
    /// The raw values joined.
    package var bytes: [UInt8]
    /// True if reading the joined value is the same as reading one value after the other and joining what comes out:
    /// no value is cut inside a character, none has an invalid escape, they do not all start with what came before
    /// them (as in a cumulative field), and the last one is no repeat of the whole.
    package var isPlain: Bool
    /// True if some value that is not empty equals the one before it or all before it joined.
    package var hasRepeat: Bool
    /// How many frames have a value.
    package var count: Int
    /// Index of the first frame whose value is not empty; nil if none is.
    package var firstFrame: Int?
    /// Arrival of that frame, ns since the call's start; nil in calls without clock.
    package var firstNs: Int64?
    /// Of numbers the last: the raw value in the last frame that has one. Empty for text.
    package var lastValue: [UInt8]

    package init(
      kind: Kind, path: String, bytes: [UInt8], isPlain: Bool, hasRepeat: Bool, count: Int, firstFrame: Int?,
      firstNs: Int64?,
      lastValue: [UInt8]
    ) {
      self.kind = kind
      self.path = path
      self.bytes = bytes
      self.isPlain = isPlain
      self.hasRepeat = hasRepeat
      self.count = count
      self.firstFrame = firstFrame
      self.firstNs = firstNs
      self.lastValue = lastValue
    }
  }

  /// With the request body. The salt is empty.
  package var open: CallOpen
  package var head: CallHead?
  /// Without `sha256` where that is the hash of the bytes, see `hashFollows`.
  package var end: CallEnd?
  package var loss: CallLoss?
  /// The end record's hash was compared with the response bytes when the call was sealed, and is theirs.
  package var hashFollows: Bool
  /// Frames on tape.
  package var frames: Int
  /// Response bytes on tape.
  package var bytes: Int
  /// Arrival of the first frame and the longest time between two frames, as ``TapeTypes/RecordedCall`` has them; nil
  /// without clock, and without (two) frames.
  package var firstFrameNs: Int64?
  package var longestGapNs: Int64?
  package var templates: [Template]
  /// The frames in order.
  package var runs: [Run]
  package var columns: [Column]

  package init(
    open: CallOpen, head: CallHead?, end: CallEnd?, loss: CallLoss? = nil, hashFollows: Bool, frames: Int, bytes: Int,
    firstFrameNs: Int64?, longestGapNs: Int64?, templates: [Template], runs: [Run], columns: [Column]
  ) {
    self.open = open
    self.head = head
    self.end = end
    self.loss = loss
    self.hashFollows = hashFollows
    self.frames = frames
    self.bytes = bytes
    self.firstFrameNs = firstFrameNs
    self.longestGapNs = longestGapNs
    self.templates = templates
    self.runs = runs
    self.columns = columns
  }
}
