"""Live streams in, a result every second out: demux, cut, send, keep the context, publish.

    reading process (PyAV)                event loop
    source -> clock -> assembler -pipe-> buffer -> recogniser -> outputs
                                           ^          |  ^
                                           drops      context rows, sentences

The bridge knows no network: it hands the newest second of a stream to `recognize` together with the
context rows of the seconds before it.
"""
