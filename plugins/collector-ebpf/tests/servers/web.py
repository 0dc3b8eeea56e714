"""A threaded web server, over TLS when a key is given: web.py PORT [KEY CERT] [--backend PORT]."""

import http.client
import http.server
import socketserver
import ssl
import sys
import time

arguments = sys.argv[1:]
backend = int(arguments.pop(arguments.index("--backend") + 1)) if "--backend" in arguments else 0
arguments = [item for item in arguments if item != "--backend"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"from " + self.path.encode()
        if backend:
            upstream = http.client.HTTPConnection("127.0.0.1", backend)
            upstream.request("GET", "/for" + self.path)
            body = upstream.getresponse().read()
            upstream.close()
        else:
            time.sleep(0.002)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(("127.0.0.1", int(arguments[0])), Handler)
if len(arguments) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments[2], arguments[1])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
