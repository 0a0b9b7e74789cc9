"""The same job as pyVoIP's documentation shows it: the baseline of the load benchmark.

A callback a call, in the thread that pyVoIP starts for it: answer, play, wait, then read frames and ask webrtcvad until
the caller hangs up. The one change: REGISTER is left out, since the load comes as from a trunk.

Usage: naive.py HOST PORT PEER_HOST PEER_PORT PROMPT (raw mu-law). SIGTERM ends it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import audioop  # noqa: E402

import webrtcvad  # noqa: E402
from pyVoIP import VoIP  # noqa: E402
from pyVoIP.SIP import SIPClient  # noqa: E402


def main() -> None:
    host, port, peer_host, peer_port, prompt_file = sys.argv[1:]
    SIPClient.register = lambda self: True
    # pyVoIP wants unsigned 8-bit linear audio.
    prompt = audioop.bias(audioop.ulaw2lin(Path(prompt_file).read_bytes(), 1), 1, 128)

    def on_call(call: VoIP.VoIPCall) -> None:
        try:
            call.answer()
            call.write_audio(prompt)
            stop = time.time() + len(prompt) / 8000
            while time.time() <= stop and call.state == VoIP.CallState.ANSWERED:
                time.sleep(0.1)
            detector, recorded = webrtcvad.Vad(0), []
            while call.state == VoIP.CallState.ANSWERED:
                audio = call.read_audio(160)
                recorded.append(audio)
                detector.is_speech(audioop.lin2lin(audioop.bias(audio, 1, -128), 1, 2), 8000)
        except VoIP.InvalidStateError:
            pass

    phone = VoIP.VoIPPhone(
        peer_host,
        int(peer_port),
        "voicemail",
        "",
        myIP=host,
        callCallback=on_call,
        sipPort=int(port),
        rtpPortLow=20000,
        rtpPortHigh=39999,
    )
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    phone.start()
    print("ready", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
