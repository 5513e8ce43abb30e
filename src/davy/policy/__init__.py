"""Policy as code: Gatekeeper's and Kubernetes' policies run as they are written, everywhere alike."""
