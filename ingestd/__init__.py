"""ingestd keeps a field device in a VideoSDK room: ALSA audio both ways over one WebSocket."""

__version__ = "0.1.0"
