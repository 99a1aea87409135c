"""What gunicorn loads in every worker: the application of the role this process was started for.

Knows roles by name. It is imported after the fork and after gevent's patch, so builders may open what they need.
"""

from importlib import import_module

from roles import handover

_told = handover.read()
application = import_module(handover.BUILDERS[_told.role]).build(_told)
