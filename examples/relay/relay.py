#!/usr/bin/env python3
"""A program of one's own with Heliostat inside: `heliostat stdio` runs as a child, and this parent
carries its signalling to browsers over a WebSocket. Media and control go straight from the child to
the browser.

    python3 relay.py --port 8000 -- heliostat stdio --source test-pattern

Needs aiohttp (Debian: python3-aiohttp). The parent decides who may watch and who may control: here
everybody on this machine may do both.
"""

import argparse
import asyncio
import json
import pathlib
import socket
import sys

from aiohttp import web

PAGE = pathlib.Path(__file__).with_name("page.html")


class Child:
    """The child: lines of JSON in both directions, and who waits for which of them."""

    def __init__(self, process):
        self.process = process
        self.browsers = {}

    @classmethod
    async def start(cls, command):
        pipe = asyncio.subprocess.PIPE
        # An answer is one line, and longer than asyncio's default limit for one allows.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, limit=1 << 20
        )
        return cls(process)

    async def say(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        await self.process.stdin.drain()

    async def listen(self):
        """Hands each line to the browser it is for, or to all when it names no session."""
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            session = message.get("session")
            if session is None:
                print("heliostat:", message, file=sys.stderr)
            for name, browser in list(self.browsers.items()):
                if session in (None, name) and not browser.closed:
                    await browser.send_json(message)


async def signalling(request):
    """One browser: what it says goes to the child under its session's name."""
    child = request.app["child"]
    name = f"browser-{request.app['count']}"
    request.app["count"] += 1
    socket = web.WebSocketResponse(heartbeat=10)
    await socket.prepare(request)
    child.browsers[name] = socket
    try:
        async for said in socket:
            message = json.loads(said.data)
            if message.get("type") == "offer":
                offer = {"type": "offer", "sdp": message["sdp"], "role": "controller"}
                await child.say(offer | {"session": name, "name": name})
            elif message.get("type") == "candidate":
                candidate = {"type": "candidate", "candidate": message["candidate"]}
                await child.say(candidate | {"session": name})
    finally:
        del child.browsers[name]
        await child.say({"type": "close", "session": name})
    return socket


async def page(_request):
    return web.FileResponse(PAGE)


async def with_child(app):
    """Starts the child with the server. Closing its stdin ends it."""
    child = app["child"] = await Child.start(app["command"])
    listening = asyncio.create_task(child.listen())
    yield
    child.process.stdin.close()
    await child.process.wait()
    await listening


async def hang_up(app):
    """Browsers that stay would keep the relay from ending."""
    for browser in list(app["child"].browsers.values()):
        await browser.close()


def main():
    parser = argparse.ArgumentParser(description="Relay heliostat stdio to browsers.")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any that is free")
    parser.add_argument("command", nargs="*", default=["heliostat", "stdio"])
    options = parser.parse_args()
    app = web.Application()
    app["command"] = options.command
    app["count"] = 0
    app.cleanup_ctx.append(with_child)
    app.add_routes([web.get("/", page), web.get("/signalling", signalling)])
    app.on_shutdown.append(hang_up)
    web.run_app(app, sock=socket.create_server(("127.0.0.1", options.port)))


if __name__ == "__main__":
    main()
