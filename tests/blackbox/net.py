"""Two machines on one: network namespaces of our own, a pair of veth between them, and what can happen to the link.

The broker listens on its loopback only. What a tunnel does on a real machine, nftables does here: what comes in by the
link goes on to 127.0.0.1. Nothing has a name, so nothing is left behind when the descriptors are closed.
"""
import ctypes
import os
import re
import subprocess
from contextlib import contextmanager

import zmq

import wl

BROKER, CLIENT, OTHER_CLIENT = "10.77.0.1", "10.77.0.2", "10.77.0.3"
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(LIBC, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def namespace_here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Machine:
    """A network namespace. inside(): processes and threads that begin there stay there."""

    def __init__(self):
        home = namespace_here()
        call("unshare", CLONE_NEWNET)
        self.at = namespace_here()
        call("setns", home, CLONE_NEWNET)
        os.close(home)
        self.run("ip", "link", "set", "lo", "up")

    @contextmanager
    def inside(self):
        home = namespace_here()
        call("setns", self.at, CLONE_NEWNET)
        try:
            yield
        finally:
            call("setns", home, CLONE_NEWNET)
            os.close(home)

    def run(self, *command, text=None):
        """What it said."""
        with self.inside():
            done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def close(self):
        os.close(self.at)


RULES = """
table ip door {
  chain in { type nat hook prerouting priority -100; iifname "cable" dnat to 127.0.0.1; }
  chain from { type nat hook input priority 100; iifname "cable" snat to 127.0.0.1; }
}
table ip cable {
  chain to_broker { type filter hook prerouting priority -300; iifname "cable" jump now_to; }
  chain to_client { type filter hook postrouting priority 300; oifname "cable" jump now_from; }
  chain now_to { }
  chain now_from { }
}
"""


class Link:
    """The broker's machine, the clients' machine, and the link between them."""

    def __init__(self):
        self.broker, self.client, self.contexts = Machine(), Machine(), []
        self.broker.run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable",
                        "netns", f"/proc/{os.getpid()}/fd/{self.client.at}")
        for machine, *addresses in (self.broker, BROKER), (self.client, CLIENT, OTHER_CLIENT):
            for address in addresses:
                machine.run("ip", "address", "add", f"{address}/24", "dev", "cable")
            machine.run("ip", "link", "set", "cable", "up")
        self.broker.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/cable/route_localnet")
        self.broker.run("nft", "-f", "-", text=RULES)

    def say(self, to_broker="", to_client=""):
        """What becomes of packets that go that way: nothing, `drop`, `numgen random mod 10 < 1 counter drop`."""
        lines = ["flush chain ip cable now_to", "flush chain ip cable now_from"]
        for chain, what in ("now_to", to_broker), ("now_from", to_client):
            lines += [f"add rule ip cable {chain} {what}"] if what else []
        self.broker.run("nft", "-f", "-", text="\n".join(lines) + "\n")

    def lost(self):
        """How many packets, by rules that count."""
        return sum(int(n) for n in re.findall(r"counter packets (\d+)", self.broker.run("nft", "list", "ruleset")))

    def heal(self):
        self.say()

    def up(self, yes):
        """The cable itself."""
        self.broker.run("ip", "link", "set", "cable", "up" if yes else "down")

    def narrow(self, rate, latency):
        """So many bits a second towards the clients, and what is too much waits so long."""
        self.broker.run("tc", "qdisc", "replace", "dev", "cable", "root", "tbf", "rate", rate, "burst", "4kb",
                        "latency", latency)

    @contextmanager
    def peers_of(self, machine):
        """wl's sockets are that machine's: libzmq's threads begin with the first of them."""
        before = wl.CONTEXT
        with machine.inside():
            self.contexts.append(zmq.Context())
            self.contexts[-1].socket(zmq.DEALER).close()
        wl.CONTEXT = self.contexts[-1]
        try:
            yield
        finally:
            wl.CONTEXT = before

    def close(self):
        for context in self.contexts:
            context.destroy(linger=0)
        self.broker.close()
        self.client.close()
