"""Frames of audio and what carries them: RTP, G.711, ticker, playout, recorder."""
