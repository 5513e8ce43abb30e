"""Draw what is held: from state and what is seen to the views that people get."""

from davy.control.picture.answers import query
from davy.control.picture.explaining import why
from davy.control.picture.header import rollout
from davy.control.picture.judge import verdict
from davy.control.picture.status import manifest

__all__ = ["manifest", "query", "rollout", "verdict", "why"]
