import TapeArchive
import Testing

/// Notes and keys as Go's sumdb/note and C2SP have them.
@Suite struct NoteTests {
  /// The example in the documentation of golang.org/x/mod/sumdb/note.
  private static let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
  private static let verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
  private static let text = """
    If you think cryptography is the answer to your problem,
    then you don't know what your problem is.

    """
  private static let signed = """
    \(text)
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=

    """

  @Test func theKeysOfGoAreRead() throws {
    let key = try #require(NoteSigningKey(Self.secret))
    #expect(key.verifier.description == Self.verifier)
    #expect(key.secretText == Self.secret)
    #expect(NoteVerifierKey(Self.verifier) == key.verifier)
  }

  @Test func theNoteOfGoIsValid() throws {
    let note = try #require(SignedNote(Array(Self.signed.utf8)))
    #expect(note.text == Self.text)
    #expect(note.check(try #require(NoteVerifierKey(Self.verifier))) == .valid)
    #expect(note.bytes == Array(Self.signed.utf8))
  }

  @Test func aSignatureIsFoundByNameAndIDAndFailsOnAnyChange() throws {
    let key = try #require(NoteSigningKey(newWithName: "example.com/log"))
    var note = SignedNote(text: Self.text)
    try note.sign(with: key)
    try note.sign(with: try #require(NoteSigningKey(newWithName: "example.com/log")))
    let read = try #require(SignedNote(note.bytes))
    #expect(read == note)
    #expect(read.check(key.verifier) == .valid)
    #expect(read.check(try #require(NoteVerifierKey(Self.verifier))) == .missing)
    var changed = note
    changed.text = Self.text.replacing("don't", with: "do")
    #expect(changed.check(key.verifier) == .wrong)
    changed = note
    changed.signatures[0].bytes[7] ^= 1
    #expect(changed.check(key.verifier) == .wrong)
  }

  @Test(arguments: [
    "", "no line feed", "text\n\n", "text\n\nno signature\n", "text\n\n— name\n", "text\n\n— na+me AAAAAAA=\n",
    "text\n\n— name AAAA\n", "text\n\n—  AAAAAAA=\n", "te\u{1}xt\n", "text\r\n", "text\n\n— name AAAAAAA\n",
  ])
  func whatIsNoNoteIsRefused(text: String) { #expect(SignedNote(Array(text.utf8)) == nil) }

  @Test(arguments: [
    "", "name", "name+00000000", "name+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
    "PeterNeumann+c74f20a3+AhpZ2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
  ])
  func whatIsNoKeyIsRefused(text: String) {
    #expect(NoteVerifierKey(text) == nil)
    #expect(NoteSigningKey("PRIVATE+KEY+" + text) == nil)
  }

  @Test func theCheckpointOfC2SPIsRead() throws {
    let text = """
      example.com/behind-the-sofa
      20852163
      CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

      — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=

      """
    let note = try #require(CheckpointNote(Array(text.utf8)))
    #expect(note.checkpoint.origin == "example.com/behind-the-sofa")
    #expect(note.checkpoint.size == 20_852_163)
    #expect(note.note.bytes == Array(text.utf8))
    #expect(note.note.text == note.checkpoint.text)
  }

  @Test(arguments: [
    "o\n1\n", "o\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
    "o\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
    "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
    "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
    "o\n9999999999999999999\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
  ])
  func whatIsNoCheckpointIsRefused(text: String) { #expect(CheckpointNote(Array(text.utf8)) == nil) }

  @Test func aCheckpointMayHaveMoreLinesAndNoSignature() throws {
    let text = "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n"
    let note = try #require(CheckpointNote(Array(text.utf8)))
    #expect(note.checkpoint.root == .empty)
    #expect(note.checkpoint.extensions == ["more"])
    #expect(note.checkpoint.text == text)
    #expect(note.note.signatures.isEmpty)
  }
}
