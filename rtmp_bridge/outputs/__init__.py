"""Where outcomes go: each output is an option, and none of them can stop a stream."""

from rtmp_bridge.outputs.events import Events
from rtmp_bridge.outputs.hub import Hub, Output
from rtmp_bridge.outputs.json_lines import JsonLines
from rtmp_bridge.outputs.metrics import Metrics
from rtmp_bridge.outputs.webhook import Webhook

__all__ = ["Events", "Hub", "JsonLines", "Metrics", "Output", "Webhook"]
