internal import HTTPTypes
internal import Hummingbird
internal import Mustache
internal import NIOCore

/// The templates of dashboards/web.
enum Templates {
  static let library: MustacheLibrary = {
    var library = MustacheLibrary()
    for (name, bytes) in sources {
      // They are part of the program, and a test parses each of them.
      if let template = try? MustacheTemplate(string: String(decoding: bytes, as: UTF8.self)) {
        library.register(template, named: name)
      }
    }
    return library
  }()

  static let sources: [(name: String, bytes: [UInt8])] = [
    ("layout", PackageResources.layout_html), ("calls", PackageResources.calls_html),
    ("rows", PackageResources.rows_html), ("call", PackageResources.call_html),
    ("replay", PackageResources.replay_html), ("thread", PackageResources.thread_html),
    ("trace", PackageResources.trace_html), ("diff", PackageResources.diff_html),
    ("usage", PackageResources.usage_html), ("identities", PackageResources.identities_html),
    ("store", PackageResources.store_html), ("login", PackageResources.login_html),
    ("error", PackageResources.error_html),
  ]

  static func html(_ name: String, _ data: PageData) -> HTML {
    HTML(library.render(data.values, withTemplate: name) ?? "")
  }

  /// A page in its frame.
  ///
  /// - Parameters:
  ///   - section: which of the places at the top it belongs to.
  ///   - scripts: what is loaded beside `app.js`.
  static func page(
    _ name: String, title: String, section: String = "", scripts: [String] = [], status: HTTPResponse.Status = .ok,
    _ data: PageData
  ) -> Response {
    frame(title: title, section: section, scripts: scripts, status: status, html(name, data))
  }

  static func frame(
    title: String, section: String = "", scripts: [String] = [], status: HTTPResponse.Status = .ok, _ main: HTML
  ) -> Response {
    var frame = PageData()
    frame["title"] = title
    frame[flag: "in-\(section)"] = true
    frame[html: "main"] = main
    frame[list: "scripts"] = scripts.map { PageData(["name": $0]) }
    return .text(status, "text/html", html("layout", frame).text)
  }
}

/// Files that pages load.
enum Assets {
  static let routes: [Route] = [
    asset("/app.css", "text/css", PackageResources.app_css),
    asset("/app.js", "text/javascript", PackageResources.app_js),
    asset("/replay.js", "text/javascript", PackageResources.replay_js),
    asset("/icon.svg", "image/svg+xml", PackageResources.icon_svg),
    Route(.get, "/healthz", isOpen: true) { _ in .text(.ok, "application/json", #"{"status":"ok"}"# + "\n") },
    Route(.get, "/robots.txt", isOpen: true) { _ in .text(.ok, "text/plain", "User-agent: *\nDisallow: /\n") },
  ]

  private static func asset(_ path: String, _ type: String, _ bytes: [UInt8]) -> Route {
    let buffer = ByteBuffer(bytes: bytes)
    return Route(.get, path, isOpen: true) { _ in
      var response = Response.bytes(.ok, "\(type); charset=utf-8", buffer)
      response.headers[.cacheControl] = "no-cache"
      return response
    }
  }
}
