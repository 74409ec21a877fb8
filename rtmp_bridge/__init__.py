"""Live streams in, a result every second out: demux, cut, send, keep the context, publish.

    ingest thread (PyAV)             event loop
    source -> clock -> assembler --> buffer -> recogniser -> outputs
                                       ^          |  ^
                                       drops      context rows, sentences

The bridge knows no network: it hands the newest second of a stream to `recognize` together with the
context rows of the seconds before it.
"""
