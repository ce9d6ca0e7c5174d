#!/usr/bin/env python3
"""An https server that resets every connection as soon as it has read a request, for tests of what that does to a client.

    tests/tls_reset.py FOLDER

Writes FOLDER/ca.pem, prints `listening on https://localhost:PORT`, and ends with its standard input. The certificates are made by
`openssl` for this run.
"""

import socket
import ssl
import struct
import subprocess
import sys
import threading
from pathlib import Path


def certificates(folder: Path) -> None:
    def openssl(*arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"openssl {arguments[0]}: {done.stderr}")

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=a CA of a test")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2", "-days", "2", "-extfile", "names",
            "-out", "server.pem")


def serve(context: ssl.SSLContext, plain: socket.socket) -> None:
    try:
        with context.wrap_socket(plain, server_side=True) as connection:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece
            # No lingering: closing it is an RST.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        plain.close()


def main() -> None:
    folder = Path(sys.argv[1])
    certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            threading.Thread(target=serve, args=(context, listener.accept()[0]), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(f"listening on https://localhost:{listener.getsockname()[1]}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
