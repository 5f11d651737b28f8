"""What an X server knows about its keyboard and pointer, and its connections' end.

Answers one line of JSON to each line on stdin: `state` tells which keycodes are down, where the
pointer is and its modifiers; `cut` closes every other program's connection that owns something, as
a server that goes away does.
"""

import ctypes
import json
import sys

X = ctypes.CDLL("libX11.so.6")
DISPLAY = ctypes.c_void_p
X.XOpenDisplay.restype = DISPLAY
X.XDefaultRootWindow.argtypes = [DISPLAY]
X.XDefaultRootWindow.restype = ctypes.c_ulong
X.XQueryKeymap.argtypes = [DISPLAY, ctypes.c_char_p]
X.XQueryPointer.argtypes = [DISPLAY, ctypes.c_ulong] + 7 * [ctypes.c_void_p]
X.XKillClient.argtypes = [DISPLAY, ctypes.c_ulong]
X.XCreateGC.argtypes = [DISPLAY, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p]
X.XCreateGC.restype = ctypes.c_void_p
X.XGContextFromGC.argtypes = [ctypes.c_void_p]
X.XGContextFromGC.restype = ctypes.c_ulong
X.XSync.argtypes = [DISPLAY, ctypes.c_int]

# Servers number what programs own by program: the bits above these.
CLIENT_SHIFT = 21
MOST_CLIENTS = 64
# Programs begin to count at 0, and nobody here owns more.
FIRST_THINGS = 24

refused = 0


@ctypes.CFUNCTYPE(ctypes.c_int, DISPLAY, ctypes.c_void_p)
def on_error(_display, _event):
    global refused
    refused += 1
    return 0


def state(display, root):
    keys = ctypes.create_string_buffer(32)
    X.XQueryKeymap(display, keys)
    window, child, mask = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
    at = [ctypes.c_int() for _ in range(4)]
    places = map(ctypes.byref, [window, child, *at, mask])
    X.XQueryPointer(display, root, *places)
    down = [code for code in range(256) if keys.raw[code // 8] >> code % 8 & 1]
    return {"keys": down, "x": at[0].value, "y": at[1].value, "mask": mask.value}


def cut(display, root):
    own = X.XGContextFromGC(X.XCreateGC(display, root, 0, None)) >> CLIENT_SHIFT
    asked = 0
    before = refused
    for client in range(1, MOST_CLIENTS):
        for thing in range(FIRST_THINGS if client != own else 0):
            X.XKillClient(display, client << CLIENT_SHIFT | thing)
            asked += 1
    X.XSync(display, 0)
    return {"cut": asked - (refused - before)}


def main():
    X.XSetErrorHandler(on_error)
    display = X.XOpenDisplay(None)
    if not display:
        sys.exit("no X server answers")
    root = X.XDefaultRootWindow(display)
    for line in sys.stdin:
        answer = {"state": state, "cut": cut}[line.strip()](display, root)
        print(json.dumps(answer), flush=True)


main()
