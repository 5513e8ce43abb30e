"""What a cluster has to know to ask Davy: the webhook, who may do what, a backstop, and Davy itself."""

from davy.control.webhook.documents import Governed, Place, documents

__all__ = ["Governed", "Place", "documents"]
