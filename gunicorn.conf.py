"""How gunicorn runs the roles: read by each master that the front door starts.

Knows gunicorn's settings and hooks. Must not know requests. Everything that differs between starts comes from the
front door's handover; gunicorn's own switches for it are off.
"""

import gc
import logging.config
import signal
import sys
from importlib import import_module
from pathlib import Path

from app.core import limits
from app.runtime import lineage
from app.runtime.telemetry import log, metrics
from roles import handover

_told = handover.read()
_settings = _told.settings
lineage.die_with(_told.parent)

# What is served, and by whom.
bind = f"fd://{_told.listener}"  # bound by the front door, so that nobody can take the port between its check and us
pythonpath = str(Path(__file__).parent)
proc_name = f"zapfs-{_told.role}"
workers = _settings.workers if _told.role in handover.MANY else 1
worker_class = "app.runtime.http1.worker.LeanWorker" if _settings.worker_class == "lean" else "gevent"
worker_connections = limits.CONNECTIONS_MAX
backlog = _settings.backlog
reuse_port = False
# Builders open databases and threads, which do not survive a fork; so the application is loaded after it. Its modules
# are loaded before, once for all workers (see on_starting).
preload_app = False

# Time.
timeout = limits.WORKER_SILENT_SECONDS_MAX
graceful_timeout = max(1, _settings.shutdown_seconds)
keepalive = limits.IDLE_SECONDS_MAX

# Heads, where gunicorn's own worker parses them; the lean worker has the same limits.
limit_request_line = 8190  # the most gunicorn takes
limit_request_fields = limits.HEAD_FIELDS_MAX
limit_request_field_size = limits.HEAD_BYTES_MAX
# CGI cannot tell a_b from a-b. gunicorn's own worker may neither map `x_amz_acl` to what `x-amz-acl` means, nor lose
# `x-amz-meta-a_b` without a word; the lean worker hands out names as they came and needs no rule.
header_map = "refuse"
forwarded_allow_ips = ""  # a client's address is its socket's

# What is said: our own records; gunicorn's only when something is wrong.
accesslog = None
loglevel = "warning"
logconfig_dict = log.library_logging(_settings.log_level)
control_socket_disable = True


def on_starting(server):
    """Load the code the workers share before they are forked; nothing is opened here."""
    import_module(handover.BUILDERS[_told.role])
    gc.collect()
    gc.freeze()  # what is there now stays; the collector must not touch, and so copy, its pages in the workers


def when_ready(server):
    """The terminal's Ctrl-C and its end reach the whole group; only the front door acts on them, and drains."""
    _leave_terminal_signals()


def post_fork(server, worker):
    """A worker must not outlive its master.

    Until it has handlers of its own a stop just ends it: those it inherits from the master would swallow the signal,
    and the master would wait for it in vain.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    lineage.die_with(server.pid)


def post_worker_init(worker):
    """The application is built: what is alive now stays alive."""
    _leave_terminal_signals()
    sys.setswitchinterval(limits.SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


def worker_exit(server, worker):
    """Requests are done: finish queued writes, flush the log and the metrics."""
    application = sys.modules.get("wsgi")
    if application is not None and hasattr(application, "application"):
        application.application.close()
    # Handlers freed while the interpreter is torn down would reach for gevent's locks, which are gone by then.
    logging.config.dictConfig({"version": 1})


def child_exit(server, worker):
    """In the master, after a worker ended, however it did."""
    metrics.process_ended(worker.pid)


def _leave_terminal_signals():
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
