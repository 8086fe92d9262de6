"""The README's package and programs, as they stand there: built as another package that depends on this one, and run."""

import pathlib
import re
import shutil
import subprocess

from conftest import KEY
from upstream import text_frames

ROOT = pathlib.Path(__file__).parent.parent.parent

CLIENT = """
import TapeRecorder

let client = Client()

/// Any HTTP client: here one that answers without a network.
struct Client {
  func send(_ request: TapeRequest) async throws -> (Int, [HeaderField], AsyncThrowingStream<[UInt8], any Error>) {
    let (body, source) = AsyncThrowingStream.makeStream(of: [UInt8].self)
    for chunk in ["data: one\\n\\nda", "ta: [DONE]\\n\\n"] { source.yield(Array(chunk.utf8)) }
    source.finish()
    return (200, [.init("Content-Type", "text/event-stream"), .init("Set-Cookie", "s=COOKIESECRET")], body)
  }
}
"""


def blocks():
    section = (ROOT / "README.md").read_text().split("## As a library")[1].split("\n## ")[0]
    return re.findall(r"```swift\n(.*?)```", section, re.S)


def test_the_readme_builds_and_runs_as_another_package(tapedeck, upstream, tmp_path):
    manifest, recording, wrapping = blocks()
    package = tmp_path / "example"
    sources = package / "Sources" / "recorder-example"
    sources.mkdir(parents=True)
    assert 'path: "../tapedeck"' in manifest
    (package / "Package.swift").write_text(manifest.replace('path: "../tapedeck"', f'name: "tapedeck", path: "{ROOT}"'))
    # The versions and the build folder of this checkout: what is built already is not built again.
    shutil.copy(ROOT / "Package.resolved", package)
    assert "https://api.orq.ai" in recording and "Bearer …" in recording
    (sources / "main.swift").write_text(
        recording.replace("https://api.orq.ai", upstream.url).replace("Bearer …", f"Bearer {KEY}")
        + '\nlet again = try TapeRecorder(store: "tapes")\ntry await answer(request, again)\nagain.close()\n')
    (sources / "Answer.swift").write_text(wrapping + CLIENT)
    build = ["swift", "build", "--scratch-path", ROOT / ".build"]
    done = subprocess.run(build, cwd=package, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "recorder-example/" not in "".join(re.findall(r".*warning:.*", done.stdout + done.stderr)), done.stdout
    program = subprocess.run([*build, "--show-bin-path"], cwd=package, capture_output=True, text=True).stdout.strip()
    ran = subprocess.run([program + "/recorder-example"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr

    frames = text_frames(20)
    assert ran.stdout.startswith(b"".join(frames).decode())
    assert ran.stdout.endswith("data: one\n\ndata: [DONE]\n\n")
    replayed = re.findall(r"^\d+ (\d+)$", ran.stdout, re.M)
    assert replayed == [str(len(frame)) for frame in frames]

    store = ["--store", tmp_path / "tapes"]
    tapedeck.run("index", *store)
    first, second = reversed(tapedeck.json("calls", *store))
    assert [first["state"], second["state"]] == ["done", "done"]
    assert first["usage"]["total_tokens"] == 120
    assert tapedeck.run("cat", second["call_id"], *store) == "data: one\n\ndata: [DONE]\n\n"
    tapedeck.run("verify", *store)
    everything = b"".join(path.read_bytes() for path in (tmp_path / "tapes").rglob("*") if path.is_file())
    assert KEY.encode() not in everything and b"COOKIESECRET" not in everything
