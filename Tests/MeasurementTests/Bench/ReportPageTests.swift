import Rendering
import Testing

@testable import Measurement

/// The page for a browser.
struct ReportPageTests {
  private func page(_ reports: [BenchReport], svg: String? = "<svg width=\"700\" height=\"1\"></svg>") -> String {
    let pictures = svg.map { [ReportPage.Picture(title: "A chart", svg: Array($0.utf8))] } ?? []
    let results = reports.enumerated().map { index, report in
      ReportPage.Result(name: "host \(index + 1)", report: report, pictures: pictures)
    }
    return ReportPage(results, whyNoCharts: svg == nil ? "no renderer is installed." : nil).html
  }

  @Test("It has the first screen, claims with figures, the chart, every table, the environment and how to reproduce")
  func parts() {
    let html = page([MadeUp.whole])
    for title in ["Conclusions", "Claims", "Charts", "Tables", "Environment", "How to reproduce"] {
      #expect(html.contains(">\(title)</h2>"), "\(title)")
    }
    #expect(html.contains("Guests not told it:") && html.contains("<h3>The figures behind the verdicts</h3>"))
    for claim in BenchReport.Claim.allCases { #expect(html.contains("<strong>\(claim.rawValue)</strong>")) }
    for heading in ["Spread of the samples", "Break-even", "Parameters of kvm_intel"] {
      #expect(html.contains("<h3>\(heading)</h3>"), "\(heading)")
    }
    #expect(html.contains("<img alt=\"A chart\" width=\"700\" src=\"data:image/svg+xml;base64,PHN2ZyB3aWR0aD0iNzAwIi"))
    #expect(
      html.contains("<code>spectrap bench --seed 20180216 --precision 2.0 --time 30.0 --cpu 2 --json again.json</code>")
    )
    #expect(html.contains("1.2 % of the CPU&#39;s time was stolen"), "all warnings")
  }

  @Test("It refers to nothing outside of itself, and forbids itself to")
  func contained() {
    let html = page([MadeUp.whole, MadeUp.whole])
    for word in ["http:", "https:", "<script", "<link rel=\"stylesheet", "@import", "url("] {
      #expect(!html.contains(word), "\(word)")
    }
    #expect(
      html.contains(
        "Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\""))
  }

  @Test("Several results stand side by side, and each by itself")
  func several() {
    let html = page([MadeUp.whole, MadeUp.report([])])
    #expect(html.contains(">Side by side</h2>") && html.contains("<th scope=\"col\">host 2</th>"))
    #expect(html.contains(">host 1: conclusions</h2>") && html.contains(">host 2: how to reproduce</h2>"))
    #expect(!page([MadeUp.whole]).contains("Side by side"))
  }

  @Test(
    "Text out of a result is text on the page, whatever it is",
    arguments: [
      "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onload='x", "</style><b>", "{{x}}", "&lt;",
    ])
  func hostile(text: String) {
    var host = MadeUp.host(kernel: text)
    host.cpu.model = text
    host.vulnerabilities[text] = text
    host.moduleParameters[text] = text
    var odd = MadeUp.cell(text, text, text, cost: 700)
    odd.id = text
    let report = MadeUp.report(
      [odd, MadeUp.cell("bare", text, cost: 600), MadeUp.absent(text, "syscall", text, text)], host: host,
      warnings: [text])
    let results = [ReportPage.Result(name: text, report: report, pictures: [.init(title: text, svg: Array(text.utf8))])]
    for results in [results, results + results] {
      let html = ReportPage(results, whyNoCharts: text).html
      for mark in ["<script>", "<img src=x", "<b>", "' onload", "\"><img src"] {
        #expect(!html.contains(mark), "\(mark)")
      }
      if text == "{{x}}" { #expect(html.contains("{{x}}")) }
      if text == "&lt;" { #expect(html.contains("&amp;lt;")) }
    }
  }

  @Test("What orders a terminal or a text is not on the page")
  func controls() {
    let html = page([MadeUp.report([], warnings: ["a\u{1b}[2J\u{202e}b"])])
    #expect(!html.unicodeScalars.contains("\u{1b}") && !html.unicodeScalars.contains("\u{202e}"))
  }

  @Test("Where charts could not be drawn it says so, and why")
  func noCharts() {
    #expect(page([MadeUp.whole], svg: nil).contains("There are no charts: no renderer is installed."))
  }
}
