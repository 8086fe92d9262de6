public import TapeTypes

/// One request to send and to tape.
public struct TapeRequest: Sendable {
  /// Absolute `http` or `https` URL. Userinfo in it is sent as Basic authorization and never taped.
  public var url: String
  public var method: String
  /// Sent in this order. `Host`, `Content-Length` and hop-by-hop fields are the recorder's own business.
  public var headers: [HeaderField]
  public var body: [UInt8]

  public init(url: String, method: String = "POST", headers: [HeaderField] = [], body: [UInt8] = []) {
    self.url = url
    self.method = method
    self.headers = headers
    self.body = body
  }
}
