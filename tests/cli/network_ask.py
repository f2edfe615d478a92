"""Runs `bawn run` with an asker: network_ask.py BAWN ANSWER… -- CMD…

Each question gets the next answer; those about the command itself are not expected. Prints what was
asked, what the command printed, and how many questions were left without an answer.
"""

import json
import os
import re
import socket
import subprocess
import sys

bawn, rest = sys.argv[1], sys.argv[2:]
at = rest.index("--")
answers, command = rest[:at], rest[at + 1 :]
ours, theirs = socket.socketpair()
fd = theirs.fileno()
run = subprocess.Popen(
    [bawn, "run", "--ask-via", str(fd), "--ask-timeout", "20", "--", *command],
    stdin=subprocess.DEVNULL,
    pass_fds=[fd],
)
theirs.close()
stream = ours.makefile("rw")
left = 0
# bawn's end, and with it the socket's, is the command's.
for line in stream:
    question = json.loads(line)
    print(f"asked {question.get('reach')}: {' '.join(question['choices'])}", flush=True)
    if not re.fullmatch(r"/\S+\[[1-9][0-9]*\]", question.get("asker") or ""):
        print(f"by {question.get('asker')!r}, which is no process", flush=True)
    if answers:
        decision = answers.pop(0)
    else:
        decision = "abort"
        left += 1
    stream.write(json.dumps({"id": question["id"], "decision": decision}) + "\n")
    stream.flush()
print(f"\nleft {left}, unused {len(answers)}")
sys.exit(run.wait())
