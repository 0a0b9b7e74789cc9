"""Audio on the wire and on disk: RTP, G.711, DTMF, silence, tones, recordings, and the loop that paces them."""

SAMPLE_RATE = 8000
FRAME_SAMPLES = 160
FRAME_SECONDS = 0.02
