"""What gunicorn loads in every worker: the application of the role this process was started for.

Knows roles by name. It is imported after the fork and after gevent's patch, so builders may open what they need.
"""

from roles import handover

_told = handover.read()
if _told.role == handover.MANAGER:
    from roles import manager as _builder
else:
    from roles import all as _builder

application = _builder.build(_told)
