"""A worker for the sandbox's own tests: runs the code that it is sent and answers with what it put into `result`. Standard library only."""

import json
import socket


def serve(sock: socket.socket) -> None:
    while True:
        code = sock.recv(65536).decode()
        if not code:
            return
        names = {}
        try:
            exec(code, names)
            answer = {"result": names.get("result")}
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
        sock.sendall(json.dumps(answer, default=repr).encode())
