"""Policy as code: Gatekeeper's and Kubernetes' policies run as they are written, and the same answer everywhere."""
