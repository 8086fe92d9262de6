import Crypto
import TapeArchive
import Testing

/// The tree against the vectors of Certificate Transparency and against its definition in RFC 6962 §2.1.
@Suite struct MerkleTests {
  private static let inputs = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
  ]
  private static let roots = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ]

  /// In the archive a leaf hash is made by `leafHash(of:)`; these are those of RFC 6962: SHA-256(0x00 ‖ input).
  private func leaves() throws -> [MerkleHash] {
    try Self.inputs.map { try leaf(try #require(Hex.bytes($0.utf8))) }
  }

  private func leaf(_ input: [UInt8]) throws -> MerkleHash {
    try #require(MerkleHash(Array(SHA256.hash(data: [0x00] + input))))
  }

  /// The tree hash as RFC 6962 §2.1 defines it.
  private func definition(_ leaves: ArraySlice<MerkleHash>) -> MerkleHash {
    guard leaves.count > 1, let first = leaves.indices.first else { return leaves.first ?? .empty }
    var split = 1
    while split * 2 < leaves.count { split *= 2 }
    return .node(definition(leaves[first..<(first + split)]), definition(leaves[(first + split)...]))
  }

  private func tree(_ leaves: some Sequence<MerkleHash>) -> CompactTree {
    var tree = CompactTree()
    for leaf in leaves { tree.append(leaf) }
    return tree
  }

  private func collect(_ ranges: [Range<Int>], _ leaves: some Sequence<MerkleHash>) -> [MerkleHash] {
    var collector = SubtreeCollector(ranges)
    for leaf in leaves { collector.append(leaf) }
    return collector.hashes.compactMap { $0 }
  }

  private func many(_ count: Int) throws -> [MerkleHash] { try (0..<count).map { try leaf([UInt8($0 % 256), 7]) } }

  @Test(arguments: 0...8) func theRootsOfCertificateTransparency(size: Int) throws {
    #expect(tree(try leaves().prefix(size)).root.description == Self.roots[size])
  }

  @Test func theInclusionProofsOfCertificateTransparency() throws {
    let first = try collect(MerkleProof.inclusion(of: 0, in: 8), leaves()).map(\.description)
    #expect(
      first == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
      ])
    let sixth = try collect(MerkleProof.inclusion(of: 5, in: 8), leaves()).map(\.description)
    #expect(
      sixth == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      ])
  }

  /// RFC 9162 §2.1.5, on its tree of seven leaves d0 … d6.
  @Test func theExamplesOfRFC9162() {
    #expect(MerkleProof.inclusion(of: 0, in: 7) == [1..<2, 2..<4, 4..<7])
    #expect(MerkleProof.inclusion(of: 3, in: 7) == [2..<3, 0..<2, 4..<7])
    #expect(MerkleProof.inclusion(of: 4, in: 7) == [5..<6, 6..<7, 0..<4])
    #expect(MerkleProof.inclusion(of: 6, in: 7) == [4..<6, 0..<4])
    #expect(MerkleProof.consistency(from: 3, to: 7) == [2..<3, 3..<4, 0..<2, 4..<7])
    #expect(MerkleProof.consistency(from: 4, to: 7) == [4..<7])
    #expect(MerkleProof.consistency(from: 6, to: 7) == [4..<6, 6..<7, 0..<4])
  }

  @Test func everyRootIsThatOfTheDefinition() throws {
    let leaves = try many(70)
    for size in 0...leaves.count {
      #expect(tree(leaves.prefix(size)).root == definition(leaves.prefix(size)), "size \(size)")
    }
  }

  @Test func aTreeGoesOnFromItsPeaks() throws {
    let leaves = try many(40)
    for size in 0..<40 {
      let begun = tree(leaves.prefix(size))
      var next = try #require(CompactTree(size: size, peaks: begun.peaks))
      for leaf in leaves.dropFirst(size) { next.append(leaf) }
      #expect(next == tree(leaves))
    }
    #expect(CompactTree(size: 3, peaks: [leaves[0]]) == nil)
  }

  @Test func everyLeafIsProvenAndNothingElse() throws {
    let leaves = try many(20)
    for size in 1...leaves.count {
      let root = tree(leaves.prefix(size)).root
      for index in 0..<size {
        let path = collect(MerkleProof.inclusion(of: index, in: size), leaves.prefix(size))
        #expect(path.count == MerkleProof.inclusion(of: index, in: size).count)
        func verify(_ leaf: MerkleHash, _ index: Int, _ size: Int, _ path: [MerkleHash]) -> Bool {
          MerkleProof.verifyInclusion(of: leaf, at: index, size: size, path: path, root: root)
        }
        #expect(verify(leaves[index], index, size, path))
        for other in -1...20 where other != index { #expect(!verify(leaves[index], other, size, path)) }
        #expect(!verify(root, index, size, path) || size == 1)
        #expect(!verify(leaves[index], index, size, path + [root]))
        for place in path.indices {
          var wrong = path
          wrong[place] = .node(path[place], root)
          #expect(!verify(leaves[index], index, size, wrong))
          wrong = path
          wrong.remove(at: place)
          #expect(!verify(leaves[index], index, size, wrong))
        }
      }
    }
  }

  @Test func everyBeginningIsProvenAndNothingElse() throws {
    let leaves = try many(20)
    for size in 0...leaves.count {
      let root = tree(leaves.prefix(size)).root
      for old in 0...size {
        let oldRoot = tree(leaves.prefix(old)).root
        let path = collect(MerkleProof.consistency(from: old, to: size), leaves.prefix(size))
        func verify(_ old: Int, _ oldRoot: MerkleHash, _ path: [MerkleHash]) -> Bool {
          MerkleProof.verifyConsistency(from: old, oldRoot: oldRoot, to: size, root: root, path: path)
        }
        #expect(verify(old, oldRoot, path))
        #expect(!verify(old, .node(oldRoot, oldRoot), path))
        #expect(!verify(old, oldRoot, path + [root]))
        for other in 1...21 where other != old && old > 0 { #expect(!verify(other, oldRoot, path)) }
        for place in path.indices {
          var wrong = path
          wrong[place] = .node(path[place], root)
          #expect(!verify(old, oldRoot, wrong))
          wrong = path
          wrong.remove(at: place)
          #expect(!verify(old, oldRoot, wrong))
        }
      }
    }
  }

  @Test func aProofMadeForOneSizeServesNoOther() throws {
    let leaves = try many(20)
    let path = collect(MerkleProof.inclusion(of: 2, in: 9), leaves.prefix(9))
    for size in 0...20 where size != 9 {
      #expect(
        !MerkleProof.verifyInclusion(
          of: leaves[2], at: 2, size: size, path: path, root: tree(leaves.prefix(size)).root))
    }
  }
}
