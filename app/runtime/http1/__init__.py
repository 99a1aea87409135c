"""The lean HTTP/1.1 worker: a keep-alive loop over gunicorn's C parser, hardened for a hostile network.

Page: docs/design/http-worker.md. One module per idea: bounds, head, target, environ, chunked, connection, body, answer,
session, worker. Nothing here knows S3, but for the shape of the error document an unreadable request gets.
"""
