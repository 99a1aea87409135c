"""`zapfs migrate`: brings the metadata database up to date. Run it before the first gateway and before each newer one.

Knows what to say of it. Must not know databases.
"""

import sqlite3

from app.cli.command import complain, say
from app.config import Settings
from app.core.errors import StoreError
from migrations.run import MigrationError
from roles import stores


def run(settings: Settings) -> int:
    """0 when the database is as this program wants it, also when it was before; 1 with one line on why it is not."""
    try:
        number = stores.migrate_database(settings)
    except (MigrationError, StoreError) as error:
        complain(str(error))
        return 1
    except (OSError, sqlite3.Error) as error:
        complain(f"{settings.data_dir}: {error}")
        return 1
    say(f"the metadata database is at migration {number}")
    return 0
