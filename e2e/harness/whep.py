"""A player that nobody here wrote: aiortc fetches the stream through WHEP.

Prints one line of JSON for each decoded frame, and for what happens else. A line on stdin, or its
end, makes it leave. Usage: whep.py URL TOKEN [fingerprints]
"""

import asyncio
import json
import ssl
import sys
import zlib

import aiohttp
import numpy
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

CELL = 16


def say(**what):
    print(json.dumps(what), flush=True)


def barcode(luma):
    """The number in the picture, or None; the layout is described in `capture::barcode`."""
    if luma.shape[0] < 8 * CELL or luma.shape[1] < 18 * CELL:
        return None
    corner = luma[: 8 * CELL, : 18 * CELL].reshape(8, CELL, 18, CELL)
    means = corner[:, 4:12, :, 4:12].mean(axis=(1, 3))
    code = bytearray()
    for row in means:
        if row[17] - row[0] < 48:
            return None
        middle = (row[0] + row[17]) / 2
        bits = 0
        for mean in row[1:17]:
            bits = bits << 1 | int(mean > middle)
        code += bits.to_bytes(2, "big")
    if zlib.crc32(code[:12]) != int.from_bytes(code[12:], "big"):
        return None
    return int.from_bytes(code[8:12], "big")


def luma_of(frame):
    plane = frame.planes[0]
    rows = numpy.frombuffer(plane, numpy.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


async def read(track, with_fingerprints):
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return say(event="ended")
        luma = luma_of(frame)
        seen = {"number": barcode(luma), "pts": frame.pts, "size": [frame.width, frame.height]}
        if with_fingerprints:
            seen["print"] = zlib.adler32(luma.tobytes())
        say(**seen)


async def main(url, token, with_fingerprints):
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video", direction="recvonly")
    readers = []
    peer.on("track", lambda track: readers.append(asyncio.ensure_future(read(track, with_fingerprints))))
    peer.on("connectionstatechange", lambda: say(event="state", state=peer.connectionState))
    await peer.setLocalDescription(await peer.createOffer())
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    login = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(
        headers=login, connector=aiohttp.TCPConnector(ssl=trusting)
    ) as http:
        offer = {"data": peer.localDescription.sdp, "headers": {"Content-Type": "application/sdp"}}
        async with http.post(f"{url}/whep", **offer) as reply:
            answer = await reply.text()
            say(event="answer", status=reply.status, location=reply.headers.get("Location"))
            if reply.status != 201:
                return say(event="refused", why=answer)
            location = reply.headers["Location"]
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.get_event_loop().run_in_executor(None, sys.stdin.readline)
        async with http.delete(f"{url}{location}") as reply:
            say(event="deleted", status=reply.status)
    await peer.close()


asyncio.run(main(sys.argv[1], sys.argv[2], "fingerprints" in sys.argv[3:]))
