"""The original system's design, rebuilt to be measured beside this project's.

Five Flask processes (preprocessing, text, video, speech, multimodal) that pass their features as
.npy files on disk, and a client that asks for three modalities side by side and then for their
fusion. Faces are found by facenet-pytorch's MTCNN on every sharp frame at 10 frames a second. The
networks are this project's own ONNX files, each on plain onnxruntime.

It is given what it can do without leaving that design: waitress instead of Flask's own server, a
folder for each request, one call for a whole clip, one MTCNN batch for each second, compiled
non-maximum suppression, and no second sight of frames that are not needed.
"""

from benchmarks.peer_flask.client import Peer
from benchmarks.peer_flask.processes import running_peer

__all__ = ["Peer", "running_peer"]
