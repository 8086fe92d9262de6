package import TapeArchive
package import TapeJSON
internal import TapeTypes

extension VerifyReport {
  /// The object of `verify`.
  package func json(store: String) -> JSONValue {
    [
      "store": .string(store), "ok": .bool(isSound), "origin": .string(origin),
      "calls": [
        "sealed": .int(sealedCalls), "erased": .int(erasedCalls), "removed": .int(removedCalls),
        "unsealed": .int(unsealedCalls), "open": .int(openCalls), "lost": .int(lostCalls),
      ],
      "files": [
        "segments": .int(segments), "leaf_lists": .int(leafLists), "journals": .int(journals),
      ],
      "bytes": ["archive": .int(archiveBytes), "raw": .int(rawBytes)],
      "tree": VerifyJSON.tree(treeSize, root),
      "checkpoints": .array(checkpoints.map(\.json)),
      "damage": .array(damage.map(\.json)), "notes": .array(notes.map(\.json)),
    ]
  }
}

extension CallVerdict {
  /// The object of `verify CALL`.
  package var json: JSONValue {
    [
      "call_id": .string(id.description), "ok": .bool(damage.isEmpty),
      "place": .string(place.rawValue), "file": .string(file), "offset": .int(offset),
      "leaf_hash": .string(leaf?.description), "leaf_number": .int(leafNumber),
      "tree": VerifyJSON.tree(treeSize, root), "checkpoints": .array(checkpoints.map(\.json)),
      "damage": .array(damage.map(\.json)), "notes": .array(notes.map(\.json)),
    ]
  }
}

extension Damage {
  package var json: JSONValue {
    [
      "file": .string(file), "offset": .int(offset), "calls": .array(calls.map { .string($0.description) }),
      "message": .string(message),
    ]
  }
}

extension VerifyReport.Note {
  package var json: JSONValue {
    [
      "kind": .string(kind.rawValue), "file": .string(file), "calls": .array(calls.map { .string($0.description) }),
      "message": .string(message),
    ]
  }
}

extension VerifyReport.Compared {
  fileprivate var json: JSONValue {
    [
      "file": .string(file), "size": .int(size), "root": .string(root.description), "result": .string(result.rawValue),
      "signature": .string(signature?.rawValue),
    ]
  }
}

private enum VerifyJSON {
  static func tree(_ size: Int, _ root: MerkleHash?) -> JSONValue {
    ["size": .int(size), "root": .string(root?.description)]
  }
}
