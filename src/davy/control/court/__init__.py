"""Verdicts for whoever moves the traffic: Argo Rollouts asks over HTTP whether its canary may have more."""
