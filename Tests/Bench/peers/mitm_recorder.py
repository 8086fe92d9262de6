"""mitmproxy as a recorder of streams: it buffers them unless told otherwise, and keeps no times of chunks by itself.

    mitmdump --mode reverse:http://127.0.0.1:UP -s mitm_recorder.py --set tape=FILE
"""
import json
import time

from mitmproxy import ctx


class Recorder:
    def load(self, loader):
        loader.add_option("tape", str, "", "where chunks are kept")

    def running(self):
        self.file = open(ctx.options.tape, "a", encoding="utf-8", errors="replace")

    def responseheaders(self, flow):
        def chunk(data):
            self.file.write(json.dumps([time.monotonic_ns(), flow.id, data.decode("utf-8", "replace")]) + "\n")
            return data
        flow.response.stream = chunk

    def done(self):
        self.file.close()


addons = [Recorder()]
