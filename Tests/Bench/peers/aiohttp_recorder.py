# What a user would write themselves: aiohttp recording reverse proxy, zstandard archive, one record per frame. aiohttp_recorder.py PORT UPSTREAM-PORT OUT.zst [uvloop]
import asyncio, json, sys, time, zstandard, aiohttp
from aiohttp import web
PORT, UP, OUT = int(sys.argv[1]), f"http://127.0.0.1:{sys.argv[2]}", sys.argv[3]
f = open(OUT, "wb"); z = zstandard.ZstdCompressor(level=3).stream_writer(f); n = 0
HOP = {"host", "connection", "transfer-encoding", "content-length", "keep-alive"}
async def handle(req):
    global n
    n += 1; cid = n; body = await req.read()
    hs = {k: v for k, v in req.headers.items() if k.lower() not in HOP}
    z.write(json.dumps({"c": cid, "req": body.decode("utf-8", "replace"), "path": req.path_qs}).encode() + b"\n")
    async with sess.request(req.method, UP + req.path_qs, headers=hs, data=body) as up:
        resp = web.StreamResponse(status=up.status, headers={k: v for k, v in up.headers.items() if k.lower() not in HOP})
        await resp.prepare(req)
        buf = b""
        async for data in up.content.iter_any():
            t = time.monotonic_ns(); await resp.write(data)
            buf += data; *frames, buf = buf.split(b"\n\n")
            for fr in frames: z.write(json.dumps([t, cid, fr.decode("utf-8", "replace")]).encode() + b"\n")
        await resp.write_eof()
    return resp
async def main():
    global sess
    sess = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False)
    app = web.Application(client_max_size=1 << 26); app.router.add_route("*", "/{p:.*}", handle)
    r = web.AppRunner(app, access_log=None); await r.setup(); await web.TCPSite(r, "127.0.0.1", PORT, backlog=4096).start()
    import signal; ev = asyncio.Event(); asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ev.set); await ev.wait(); z.close(); f.close()
if len(sys.argv) > 4: import uvloop; uvloop.install()
asyncio.run(main())
