"""A client of the web gate, over plain sockets: what it sends is what the test wrote."""
import re
import socket
import time


def address_of(broker):
    return "127.0.0.1", int(re.findall(r"web\.serving address=127\.0\.0\.1:(\d+)", broker.said())[-1])


def ask(broker, path="/metrics", method="GET", headers="", body=b"", wait_s=5):
    """Status, headers and body."""
    with socket.create_connection(address_of(broker), wait_s) as s:
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode() + body)
        return answer(s)


def answer(s):
    data = b""
    while part := s.recv(65536):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else None), head.decode().lower(), body.decode()


def figures(broker):
    """name or name{label="value"} -> number"""
    time.sleep(0.11)                                    # the page is made ten times a second at the most
    status, head, text = ask(broker)
    assert status == 200 and "content-type: text/plain; version=0.0.4" in head
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}
