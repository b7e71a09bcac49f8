# SPDX-License-Identifier: GPL-2.0-only
"""A headless Chromium that renders a page again and again, until the file named exists: each picture is as the first was."""
import itertools
import json
import os
import subprocess
import sys


class Browser:
    """One that takes its orders by a pipe, and is a process of this session as all that it starts."""

    def __init__(self, folder):
        orders, self.orders = os.pipe()
        self.answers, answers = os.pipe()
        self.pending = b""
        self.numbers = itertools.count(1)
        self.session = {}
        # the browser has them as files 3 and 4
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{orders} 4>&{answers}', "sh", "chromium-headless-shell", "--no-sandbox", "--disable-gpu",
             "--remote-debugging-pipe", "--window-size=400,400", f"--user-data-dir={folder}/browser", "--no-first-run",
             "--disable-dev-shm-usage"],
            pass_fds=(orders, answers), stderr=subprocess.DEVNULL)
        os.close(orders)
        os.close(answers)

    def message(self):
        """The next one that it sends."""
        while b"\0" not in self.pending:
            more = os.read(self.answers, 1 << 16)
            if not more:
                sys.exit(f"wrong: the browser has ended with {self.process.wait()}")
            self.pending += more
        first, self.pending = self.pending.split(b"\0", 1)
        return json.loads(first)

    def do(self, method, **params):
        """Its answer to an order."""
        number = next(self.numbers)
        os.write(self.orders, json.dumps({"id": number, "method": method, "params": params, **self.session}).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("method") in ("Inspector.targetCrashed", "Target.targetCrashed"):
                sys.exit("wrong: the page has crashed")
            if message.get("id") == number:
                if "error" in message:
                    sys.exit(f"wrong: {method}: {message['error']['message']}")
                return message["result"]

    def show(self, path):
        """Opens a page."""
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self.session = {"sessionId": self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        self.do("Page.enable")
        self.do("Page.navigate", url="file://" + path)
        while self.message().get("method") != "Page.loadEventFired":
            pass

    def round(self, seed):
        """What the page makes of a number: a checksum, and a picture."""
        found = self.do("Runtime.evaluate", expression=f"round({seed})")["result"]["value"]
        return found, self.do("Page.captureScreenshot", format="png")["data"]

    def close(self):
        """Its exit status."""
        self.session = {}
        self.do("Browser.close")
        return self.process.wait()


def main(stop):
    """Three pages, each as it was at first."""
    browser = Browser(os.path.dirname(stop))
    browser.show(os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.html"))
    expected = [browser.round(seed) for seed in range(3)]
    print("ready", flush=True)
    rounds = 0
    while not os.path.exists(stop) or not rounds:
        found = browser.round(rounds % 3)
        if found[0] != expected[rounds % 3][0]:
            sys.exit(f"wrong: the page says {found[0]}, not {expected[rounds % 3][0]}")
        if found[1] != expected[rounds % 3][1]:
            sys.exit("wrong: another picture")
        rounds += 1
    status = browser.close()
    print(rounds, "rounds")
    sys.exit(status)


main(sys.argv[1])
